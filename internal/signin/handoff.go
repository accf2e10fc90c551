package signin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

// A session is handed over from the pages site to another of Lanyard's sites in three steps, all of them top-level
// navigations:
//
//  1. the other site, finding no session, sets a cookie with a random value of its own and leads to
//     /open?to=<host>&bind=<hash of that value> on the pages site;
//  2. there the person's session is known; if they may open what the host stands for, they are led back to
//     /_lanyard/enter?code=<one-use code>;
//  3. the other site takes the code only together with its own cookie, so a code is of no use in another browser,
//     sets its session cookie, and leads to where the person wanted to go, which it kept in that first cookie.
const (
	handOffKind   = "handoff"
	handOffCookie = "__Host-lanyard-handoff"
	handOffLife   = 30 * time.Second
	enterPath     = "/_lanyard/enter"
)

type handOff struct {
	Session identity.SessionID `json:"session"`
	Host    string             `json:"host"`
	Bind    string             `json:"bind"`
}

// handOff is step 2.
func (s *Service) handOff(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	host, bind := q.Get("to"), q.Get("bind")
	request, _, ok := s.c.SiteOf(host)
	if !ok || len(bind) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return problem.New(problem.Invalid, "This address leads to no site of Lanyard's.")
	}
	who := web.PrincipalFrom(r.Context())
	if who.Session == "" {
		http.Redirect(w, r, "/login?"+url.Values{"return": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		return nil
	}
	on := request.Resource
	if on.Kind == identity.KindWorkspace && on.Owner.IsZero() || on.Kind == identity.KindApp && on.Project == "" { // not there: said as if hidden
		return problem.New(problem.NotFound, "%s", access.NotHere(on.Kind, on.Name))
	}
	request.Principal = who
	request.IP = web.ClientIP(r)
	_, lease, err := s.c.Access.Open(r.Context(), request, nil)
	if err != nil {
		return err
	}
	defer lease.End()
	body, err := json.Marshal(handOff{Session: who.Session, Host: host, Bind: bind})
	if err != nil {
		return err
	}
	code := random()
	if err := s.c.Once.PutOnce(r.Context(), handOffKind, sha256.Sum256([]byte(code)), body, s.c.Now().Add(handOffLife)); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written now. Try again in a moment.")
	}
	there := url.URL{Scheme: s.scheme(), Host: host, Path: enterPath, RawQuery: url.Values{"code": {code}}.Encode()}
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, there.String(), http.StatusSeeOther)
	return nil
}

// Enter is step 3, a route of the other site.
func (s *Service) Enter() web.Route {
	return web.Route{Method: "GET", Path: enterPath, Access: web.Public("only with a one-use code bound to this browser"), Serve: s.enter}
}

func (s *Service) enter(w http.ResponseWriter, r *http.Request) error {
	again := problem.New(problem.Invalid, "This link was used already, is too old, or belongs to another browser. Open it again from the dashboard.")
	body, ok, err := s.c.Once.TakeOnce(r.Context(), handOffKind, sha256.Sum256([]byte(r.URL.Query().Get("code"))))
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be read now. Try again in a moment.")
	}
	if !ok {
		return again
	}
	var h handOff
	if err := json.Unmarshal(body, &h); err != nil {
		return err
	}
	bound := r.CookiesNamed(handOffCookie)
	if len(bound) != 1 || hashOf(bound[0].Value) != h.Bind || h.Host != r.Host {
		return again
	}
	_, ws, ok := s.c.SiteOf(h.Host)
	if !ok {
		return again
	}
	cookie, err := s.c.Sessions.Handover(r.Context(), h.Session, s.scheme()+"://"+h.Host, ws)
	if err != nil {
		return err
	}
	web.SetCookie(w, handOffCookie, "", -1)
	web.SetCookie(w, session.CookieName, cookie, 0)
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, wanted(bound[0].Value), http.StatusSeeOther)
	return nil
}

// wanted is the path that a hand-off's cookie keeps.
func wanted(cookie string) string {
	_, kept, _ := strings.Cut(cookie, ".")
	path, err := base64.RawURLEncoding.DecodeString(kept)
	if err != nil || len(path) == 0 {
		return "/"
	}
	local, err := web.LocalPath(string(path))
	if err != nil || strings.HasPrefix(local, enterPath) {
		return "/"
	}
	return local
}

// Lead is step 1: for a site that finds no session on a page that a person opens.
func (s *Service) Lead(w http.ResponseWriter, r *http.Request) {
	value := random() + "." + base64.RawURLEncoding.EncodeToString([]byte(r.URL.RequestURI()))
	if len(value) > 3<<10 { // browsers keep cookies up to 4 KiB
		value = random()
	}
	web.SetCookie(w, handOffCookie, value, int(10*time.Minute/time.Second))
	http.Redirect(w, r, s.c.URL+"/open?"+url.Values{"to": {r.Host}, "bind": {hashOf(value)}}.Encode(), http.StatusSeeOther)
}

func (s *Service) scheme() string {
	u, err := url.Parse(s.c.URL)
	if err != nil {
		return "https"
	}
	return u.Scheme
}

func hashOf(v string) string {
	h := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(h[:])
}
