package issuer

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

const codeKind = "oauth-code"

// Page is what a person is shown of a client that asks for something.
type Page struct {
	Client string   // its name
	Own    bool     // it is Lanyard's own: it will act as the person
	For    []string // what it gets tokens for, which say that it calls for the person
	Device string   // what it says of the machine that it is on; empty where it says nothing
	From   string   // the address that it asked from, where that is not the person's own browser
	Action string   // where the form goes
	Fields url.Values
	Code   bool   // a code is to be typed
	Wrong  bool   // the code that was typed stands for nothing
	Done   string // how it ended: "allowed", "refused"; empty before
	Back   string // the origin that the form's answer leads to; empty where it leads nowhere else
}

// asked is an authorization request that was checked.
type asked struct {
	client    *Client
	redirect  string
	state     string
	scope     []string
	challenge string
	nonce     string
	key       string        // dpop_jkt
	silent    bool          // nothing may be shown (prompt=none)
	maxAge    time.Duration // of the sign-in; negative: any
}

// justNow is how old the sign-in may be where a client wants a new one: it is what comes back from the sign-in page.
const justNow = time.Minute

// ask checks an authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3). While client or address are in doubt
// the error is for the person; afterwards it is for the client, who is told.
func (s *Issuer) ask(q url.Values) (asked, *refusal, error) {
	twice := once(q)
	client := s.clients[q.Get("client_id")]
	a := asked{client: client, redirect: q.Get("redirect_uri"), state: q.Get("state"), maxAge: -1}
	switch {
	case client == nil:
		return a, nil, problem.New(problem.Invalid, "The program that sent you here is not known to Lanyard.")
	case a.redirect == "" || len(q["redirect_uri"]) > 1 || !client.redirects(a.redirect):
		return a, nil, problem.New(problem.Invalid, "%s wants its answer at an address that is not registered for it. Nothing was allowed.", client.Name)
	case twice != nil:
		return a, refuse(invalidRequest, "A parameter stands twice."), nil
	case q.Has("request") || q.Has("request_uri"):
		return a, refuse(invalidRequest, "Request objects are not read."), nil
	case q.Get("response_type") != "code":
		return a, refuse(unsupportedResponse, "The response_type is not code."), nil
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return a, refuse(invalidRequest, "The response_mode is not query."), nil
	case q.Get("code_challenge_method") != "S256" || !challenge43(q.Get("code_challenge")):
		return a, refuse(invalidRequest, "The request has no code_challenge with the method S256."), nil
	case q.Has("dpop_jkt") && !challenge43(q.Get("dpop_jkt")):
		return a, refuse(invalidRequest, "The dpop_jkt is not a SHA-256 thumbprint."), nil
	}
	if refused := s.checkResources(client, q["resource"]); refused != nil {
		return a, refused, nil
	}
	if text := q.Get("max_age"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 {
			return a, refuse(invalidRequest, "The max_age is not a number of seconds."), nil
		}
		a.maxAge = time.Duration(seconds) * time.Second
	}
	prompts := strings.Fields(q.Get("prompt"))
	a.silent = contains(prompts, "none")
	if a.silent && len(prompts) > 1 {
		return a, refuse(invalidRequest, "The prompt none stands alone."), nil
	}
	if contains(prompts, "login") && (a.maxAge < 0 || a.maxAge > justNow) {
		a.maxAge = justNow
	}
	a.scope, a.challenge, a.nonce, a.key = scope(q.Get("scope")), q.Get("code_challenge"), q.Get("nonce"), q.Get("dpop_jkt")
	return a, nil, nil
}

// challenge43 reports whether a text is base64url of 32 bytes.
func challenge43(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == sha256.Size
}

// authorize shows the person who asks for what.
func (s *Issuer) authorize(w http.ResponseWriter, r *http.Request) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problem.New(problem.Invalid, "The address cannot be read. Start again where you came from.")
	}
	a, refused, err := s.ask(q)
	if err != nil {
		s.noteAnswer(r, a, err)
		return err
	}
	if refused != nil {
		return s.tell(w, r, a, refused)
	}
	who := web.PrincipalFrom(r.Context())
	now := s.c.Now()
	_, signIn, dead := s.c.Sessions.Set().Live(who.Session, now)
	old := who.Session == "" || dead != "" || a.maxAge >= 0 && now.Sub(signIn.At) > a.maxAge
	switch {
	case a.silent && old:
		return s.tell(w, r, a, refuse(loginRequired, "Nobody is signed in, or not lately enough."))
	case a.silent: // each time it is the person who allows it
		return s.tell(w, r, a, refuse("consent_required", "The person has to allow it."))
	case old:
		http.Redirect(w, r, "/login?"+url.Values{"return": {r.URL.RequestURI()}, "prompt": again(who, dead)}.Encode(), http.StatusSeeOther)
		return nil
	}
	fields := url.Values{}
	for name, list := range q {
		if name != "prompt" && name != "max_age" {
			fields[name] = list
		}
	}
	s.c.Page(w, http.StatusOK, Page{Client: a.client.Name, Own: a.client.Own, For: s.audiences(a.client), Device: q.Get("device_name"), Action: AuthorizePath, Fields: fields, Back: web.Origin(a.redirect)})
	return nil
}

// again has the tenant ask, though it may not have to, where somebody is signed in and not lately enough.
func again(who identity.Principal, dead string) []string {
	if who.Session != "" && dead == "" {
		return []string{"login"}
	}
	return nil
}

// allow sends the code, when the person said yes.
func (s *Issuer) allow(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return problem.New(problem.Invalid, "The form cannot be read. Start again where you came from.")
	}
	a, refused, err := s.ask(without(r.PostForm, "go"))
	if err != nil {
		s.noteAnswer(r, a, err)
		return err
	}
	if refused != nil {
		return s.tell(w, r, a, refused)
	}
	who := web.PrincipalFrom(r.Context())
	if err := s.inBrowser(who); err != nil {
		return err
	}
	event := audit.Event{Time: s.c.Now(), Action: "oauth:authorize", Outcome: audit.Denied, User: audit.PersonOf(who.User, s.name(who.User)),
		Session: who.Session, IP: web.ClientIP(r), Detail: map[string]any{"client": a.client.ID}}
	if r.PostForm.Get("go") != "on" {
		event.Reasons = []string{"the person said no"}
		s.c.Audit.Later(event)
		return s.tell(w, r, a, refuse(accessDenied, "The person said no."))
	}
	body, err := json.Marshal(given{
		Session: string(who.Session), Client: a.client.ID, Device: deviceName(r.PostForm.Get("device_name")), Scope: a.scope, Nonce: a.nonce, Key: a.key,
		At: s.c.Now(), Redirect: a.redirect, Verifier: a.challenge,
	})
	if err != nil {
		return err
	}
	code := random()
	if err := s.c.Rows.PutOnce(r.Context(), codeKind, hashOf(code), body, s.c.Now().Add(codeLife)); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written now. Try again in a moment.")
	}
	event.Outcome = audit.Done
	s.c.Audit.Later(event)
	s.lead(w, r, a, url.Values{"code": {code}})
	return nil
}

// inBrowser refuses all sessions but a browser's: a program that was allowed something allows nothing to others, which would
// outlive it.
func (s *Issuer) inBrowser(who identity.Principal) error {
	row, _, ok := s.c.Sessions.Set().Session(who.Session)
	if !ok || row.Kind != session.Browser {
		return problem.New(problem.Denied, "Programs are allowed in a browser in which you are signed in, and nowhere else.")
	}
	return nil
}

// tell sends an error back to the client (RFC 6749 section 4.1.2.1).
func (s *Issuer) tell(w http.ResponseWriter, r *http.Request, a asked, refused *refusal) error {
	if refused.code == invalidRequest || refused.code == invalidTarget {
		s.noteAnswer(r, a, refused)
	}
	s.lead(w, r, a, url.Values{"error": {refused.code}, "error_description": {printable(refused.text)}})
	return nil
}

// lead leads the browser back to the client, who learns which issuer answers (RFC 9207).
func (s *Issuer) lead(w http.ResponseWriter, r *http.Request, a asked, answer url.Values) {
	answer.Set("iss", s.c.URL)
	if a.state != "" {
		answer.Set("state", a.state)
	}
	glue := "?"
	if strings.Contains(a.redirect, "?") {
		glue = "&"
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, a.redirect+glue+answer.Encode(), http.StatusSeeOther)
}

// byCode gives tokens for a code, once, to the client that it was made for, with the verifier of its challenge.
func (s *Issuer) byCode(r *http.Request, c *Client, key string) (any, error) {
	none := refuse(invalidGrant, "The code is not known, was used, is older than a minute, or is another client's.")
	hash := hashOf(r.PostForm.Get("code"))
	_, ok, err := s.c.Rows.SeeOnce(r.Context(), codeKind, hash) // a stranger's guess writes nothing
	var body []byte
	if ok && err == nil {
		body, ok, err = s.c.Rows.TakeOnce(r.Context(), codeKind, hash)
	}
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The database cannot be written. Try again in a moment.")
	}
	if !ok {
		s.replayed(r, c, hash)
		return nil, none
	}
	var g given
	if err := json.Unmarshal(body, &g); err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	switch {
	case g.Client != c.ID || g.Redirect != r.PostForm.Get("redirect_uri"):
		return nil, none
	case subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(digest[:])), []byte(g.Verifier)) != 1:
		return nil, refuse(invalidGrant, "The code_verifier is not that of the code_challenge.")
	}
	answer, id, err := s.begin(r, c, g, key, grantCode)
	if err != nil {
		return nil, err
	}
	s.used(r, hash, id)
	return answer, nil
}

func without(values url.Values, name string) url.Values {
	rest := url.Values{}
	for k, v := range values {
		if k != name {
			rest[k] = v
		}
	}
	return rest
}

// deviceName keeps what may be shown of what a client calls its machine.
func deviceName(s string) string {
	kept := make([]rune, 0, 64)
	for _, c := range s {
		if len(kept) == cap(kept) {
			break
		}
		if c == ' ' || c > 0x20 && c < 0x7f {
			kept = append(kept, c)
		}
	}
	return string(kept)
}

func contains(list []string, one string) bool { return slices.Contains(list, one) }

func sessionID(s string) identity.SessionID { return identity.SessionID(s) }

func peer(r *http.Request) string { return web.ClientIP(r) }

func (s *Issuer) name(u identity.UserID) string {
	if user, ok := s.c.Directory().User(u); ok {
		return user.Name
	}
	return ""
}
