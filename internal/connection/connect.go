package connection

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

const (
	// browserCookie binds a connection under way to the browser that began it.
	browserCookie = "__Host-lanyard-connect"
	stateLife     = 15 * time.Minute
	stateKind     = "connection-state"
)

// underway is what is kept of a connection while the person is at the host.
type underway struct {
	App      string             `json:"app"`
	User     string             `json:"user"`    // key
	Session  identity.SessionID `json:"session"` // the browser session that began it
	Browser  []byte             `json:"browser"` // hash of the browser's cookie
	Verifier string             `json:"verifier"`
}

// redirect is where an app's host sends people back to. Each app has its own, so that one host's answer cannot be taken
// for another's.
func (s *Service) redirect(a App) string { return s.c.URL + callbackPath + a.Name }

const callbackPath = "/connected/"

// begin sends a person to the host (the web application flow, with PKCE). The caller has decided that they may.
func (s *Service) begin(w http.ResponseWriter, r *http.Request, a App) error {
	who := web.PrincipalFrom(r.Context())
	browser := ""
	if c := r.CookiesNamed(browserCookie); len(c) == 1 { // another tab has begun, too
		browser = c[0].Value
	} else {
		browser = random()
	}
	hash := sha256.Sum256([]byte(browser))
	state, verifier := random(), oauth2.GenerateVerifier()
	body, err := json.Marshal(underway{App: a.Name, User: who.User.Key(), Session: who.Session, Browser: hash[:], Verifier: verifier})
	if err != nil {
		return err
	}
	if err := s.c.Once.PutOnce(r.Context(), stateKind, sha256.Sum256([]byte(state)), body, s.c.Now().Add(stateLife)); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written, so nobody can connect now. Try again in a moment.")
	}
	web.SetCookie(w, browserCookie, browser, int(stateLife/time.Second))
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, a.URL+"/login/oauth/authorize?"+url.Values{
		"client_id": {a.ClientID}, "redirect_uri": {s.redirect(a)}, "state": {state},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode(), http.StatusSeeOther)
	return nil
}

// finish takes the answer of the host, which came through the browser.
func (s *Service) finish(w http.ResponseWriter, r *http.Request, a App) error {
	u, err := s.resume(r, a)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if iss := q.Get("iss"); iss != "" && iss != a.URL && iss != a.URL+"/login/oauth" { // RFC 9207
		return problem.New(problem.Denied, "The answer came from another host than %s. Nothing was done.", a.host())
	}
	if e := q.Get("error"); e != "" {
		return problem.New(problem.Denied, "%s did not connect you (%s). To try again, open %s", a.host(), code(e, http.StatusForbidden), s.start(a))
	}
	given, err := s.redeem(r.Context(), a, url.Values{"code": {q.Get("code")}, "redirect_uri": {s.redirect(a)}, "code_verifier": {u.Verifier}})
	if err != nil {
		return err
	}
	login, account, err := s.account(r.Context(), a, given.Access)
	if err != nil {
		return err
	}
	who := web.PrincipalFrom(r.Context())
	now := s.c.Now()
	row := Row{User: who.User, App: a.Name, Login: login, Account: account, Made: now, Renewed: now, Ends: given.RefreshEnds, Version: 1}
	if row.Sealed, err = s.seal(row, given); err != nil {
		return err
	}
	if err := s.c.Rows.PutConnection(r.Context(), row, s.event(r, a, "connection:make", map[string]any{"host": a.host(), "login": login})); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The connection could not be kept. Try again in a moment.")
	}
	s.drop(who.User, a)
	web.SetCookie(w, browserCookie, "", -1)
	http.Redirect(w, r, "/connections", http.StatusSeeOther)
	return nil
}

// resume finds what this person began in this browser under a state, which is spent by that.
func (s *Service) resume(r *http.Request, a App) (underway, error) {
	again := problem.New(problem.Invalid, "This was not begun in this browser by you, was used already, or took too long. To connect, open %s", s.start(a))
	body, ok, err := s.c.Once.TakeOnce(r.Context(), stateKind, sha256.Sum256([]byte(r.URL.Query().Get("state"))))
	if err != nil {
		return underway{}, problem.Wrap(err, problem.Unavailable, "The database cannot be read, so nobody can connect now. Try again in a moment.")
	}
	if !ok {
		return underway{}, again
	}
	var u underway
	if err := json.Unmarshal(body, &u); err != nil {
		return underway{}, err
	}
	who := web.PrincipalFrom(r.Context())
	browser := r.CookiesNamed(browserCookie)
	if len(browser) != 1 || u.App != a.Name || who.User.IsZero() || u.User != who.User.Key() || u.Session != who.Session {
		return underway{}, again
	}
	if hash := sha256.Sum256([]byte(browser[0].Value)); subtle.ConstantTimeCompare(hash[:], u.Browser) != 1 {
		return underway{}, again
	}
	return u, nil
}

// List are a person's connections by app.
func (s *Service) List(ctx context.Context, u identity.UserID) ([]Row, error) {
	return s.c.Rows.Connections(ctx, u)
}

// Disconnect removes a person's connection, and tells the host that its token is not wanted any more.
func (s *Service) Disconnect(r *http.Request, u identity.UserID, name string) error {
	a, err := s.app(name, "")
	if err != nil {
		return problem.New(problem.NotFound, "There is no connection %q.", name)
	}
	row, found, err := s.c.Rows.Connection(r.Context(), u, name)
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The connection cannot be read now. Try again in a moment.")
	}
	if found {
		found, err = s.c.Rows.DropConnection(r.Context(), u, name, s.event(r, a, "connection:drop", map[string]any{"host": a.host(), "login": row.Login}))
		if err != nil {
			return problem.Wrap(err, problem.Unavailable, "The connection could not be removed. Try again in a moment.")
		}
	}
	if !found {
		return problem.New(problem.NotFound, "You are not connected to %s.", a.host())
	}
	s.drop(u, a)
	if have, err := s.open(row); err == nil {
		if err := s.withdraw(r.Context(), a, have.Access); err != nil { // it ends by itself within hours
			s.c.Log.Warn("a host could not be told that a connection has ended", "app", a.Name, "error", err)
		}
	}
	return nil
}

func (s *Service) drop(u identity.UserID, a App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.people, personKey{u, a.Name})
}

func (s *Service) event(r *http.Request, a App, action string, detail map[string]any) audit.Event {
	who := web.PrincipalFrom(r.Context())
	return audit.Event{
		Time: s.c.Now(), Action: action, Outcome: audit.Done, User: audit.PersonOf(who.User, ""), Session: who.Session,
		Resource: "connection " + a.Name, IP: web.ClientIP(r), Detail: detail,
	}
}

func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
