package signin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

const (
	// browserCookie binds the sign-ins under way to the browser that began them. It stays when one of them is done: other
	// tabs may be at the tenant still.
	browserCookie = "__Host-lanyard-signin"
	stateLife     = 15 * time.Minute // within which a sign-in is to be done
	stateKept     = 3 * time.Hour    // for which it is known where one was to lead that took longer, or was done
	stateKind     = "signin-state"
	pastKind      = "signin-past"
)

// underway is what is kept of a sign-in while the person is at the tenant.
type underway struct {
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // PKCE
	Browser  [32]byte  `json:"browser"`  // hash of the browser's cookie
	Begun    time.Time `json:"begun"`
	Return   string    `json:"return"` // a path of this site, or an address of another of Lanyard's
	Issuer   string    `json:"issuer"`
	StepUp   *refused  `json:"step_up,omitempty"`
	Trial    string    `json:"trial,omitempty"` // the ID of a test; empty: a session begins
	// Correlation is the attempt's ID at the tenant.
	Correlation string `json:"correlation,omitempty"`

	Hint   string          `json:"hint,omitempty"`   // who is likely to sign in (login_hint)
	Prompt string          `json:"prompt,omitempty"` // what the tenant is to ask: promptLogin, promptChoose, or nothing
	Claims string          `json:"claims,omitempty"` // what the tenant wants to be asked for (claims)
	For    identity.UserID `json:"for,omitzero"`     // who alone it is for, by a challenge; zero: anybody
}

// Values of the parameter `prompt` (OpenID Connect Core, section 3.1.2.1).
const (
	promptLogin  = "login"          // ask for the password again
	promptChoose = "select_account" // ask for the account
)

// keep keeps a sign-in that is about to begin in a browser, and returns its state.
func (s *Service) keep(w http.ResponseWriter, r *http.Request, u *underway) (state string, err error) {
	browser := ""
	if c := r.CookiesNamed(browserCookie); len(c) == 1 { // another tab has begun, too
		browser = c[0].Value
	} else {
		browser = random()
	}
	state = random()
	u.Browser, u.Begun = sha256.Sum256([]byte(browser)), s.c.Now()
	body, err := json.Marshal(u)
	if err != nil {
		return "", err
	}
	if err := s.c.Once.PutOnce(r.Context(), stateKind, sha256.Sum256([]byte(state)), body, u.Begun.Add(stateKept)); err != nil {
		return "", problem.Wrap(err, problem.Unavailable, "The database cannot be written, so nobody can sign in now. Try again in a moment.")
	}
	set := web.SetCookie
	if s.c.FormPost { // the tenant's page posts the answer, and a browser sends no Lax cookie with that
		set = web.SetCookieForAnswers
	}
	set(w, browserCookie, browser, int(stateKept/time.Second))
	return state, nil
}

// resume finds the sign-in that this browser began under a state, which is spent by that. used says that it was before:
// somebody went back in their browser, or loaded the page again.
func (s *Service) resume(r *http.Request, state string) (u underway, used bool, err error) {
	u, used, err = s.begun(r, state)
	if err != nil || used {
		return u, used, err
	}
	hash := sha256.Sum256([]byte(state))
	_, ok, err := s.c.Once.TakeOnce(r.Context(), stateKind, hash)
	switch {
	case err != nil:
		return underway{}, false, unread(err)
	case !ok:
		return u, true, nil // by another request, a moment ago
	}
	s.past(r.Context(), hash, u)
	if s.c.Now().Sub(u.Begun) >= stateLife {
		return underway{}, false, s.again(u, "This sign-in took longer than 15 minutes, so it was not completed.")
	}
	return u, false, nil
}

// begun finds a sign-in of this browser, and leaves it there.
func (s *Service) begun(r *http.Request, state string) (u underway, used bool, err error) {
	hash := sha256.Sum256([]byte(state))
	body, ok, err := s.c.Once.SeeOnce(r.Context(), stateKind, hash)
	if err == nil && !ok {
		used = true
		body, ok, err = s.c.Once.SeeOnce(r.Context(), pastKind, hash)
	}
	if err != nil {
		return underway{}, false, unread(err)
	}
	browser := r.CookiesNamed(browserCookie)
	if !ok {
		return underway{}, false, strange(browser)
	}
	if err := json.Unmarshal(body, &u); err != nil {
		return underway{}, false, err
	}
	if len(browser) != 1 || sha256.Sum256([]byte(browser[0].Value)) != u.Browser {
		return underway{}, false, strange(browser)
	}
	return u, used, nil
}

// past keeps where a sign-in led, for who comes to its answer again. Nothing can be done with it.
func (s *Service) past(ctx context.Context, hash [32]byte, u underway) {
	body, err := json.Marshal(underway{Browser: u.Browser, Begun: u.Begun, Return: cmp.Or(u.Return, "/")})
	if err == nil {
		err = s.c.Once.PutOnce(ctx, pastKind, hash, body, u.Begun.Add(stateKept))
	}
	if err != nil {
		s.c.Log.Warn("where a sign-in led could not be kept, so going back to it will not find it", "error", err)
	}
}

func unread(err error) error {
	return problem.Wrap(err, problem.Unavailable, "The database cannot be read, so nobody can sign in now. Try again in a moment.")
}

// strange is the refusal of an answer to nothing that is known of this browser. Where it leads is not known either.
func strange(browser []*http.Cookie) error {
	text := "This sign-in was not begun in this browser, was used already, or took too long. Sign in again."
	if len(browser) == 0 {
		text += " If that leads here once more, let the browser keep this site's cookies."
	}
	return &problem.Error{Kind: problem.Invalid, Message: text, Help: &problem.Help{Again: loginPath}}
}

// again is a refusal after which signing in anew leads to where the person wanted to go.
func (s *Service) again(u underway, why string) error {
	text := why + " Sign in again; it leads to where you wanted to go."
	if u.StepUp != nil {
		text = why + " What was refused gives a new link when it is tried again."
	}
	return &problem.Error{Kind: problem.Invalid, Message: text, Help: &problem.Help{Again: loginAt(u.Return, "")}}
}

// loginAt is where a sign-in begins that leads to where another was to lead. prompt is one of its values, or empty.
func loginAt(back, prompt string) string {
	q := url.Values{}
	if back != "" && back != "/" {
		q.Set("return", back)
	}
	if prompt != "" {
		q.Set("prompt", prompt)
	}
	if len(q) == 0 {
		return loginPath
	}
	return loginPath + "?" + q.Encode()
}
