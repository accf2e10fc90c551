package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

const (
	// browserCookie binds a sign-in under way to the browser that began it.
	browserCookie = "__Host-lanyard-signin"
	stateLife     = 15 * time.Minute
	stateKind     = "signin-state"
)

// underway is what is kept of a sign-in while the person is at the tenant.
type underway struct {
	Nonce    string   `json:"nonce"`
	Verifier string   `json:"verifier"` // PKCE
	Browser  [32]byte `json:"browser"`  // hash of the browser's cookie
	Return   string   `json:"return"`   // a path of this site, or an address of another of Lanyard's
	StepUp   *refused `json:"step_up,omitempty"`
}

// Routes are the addresses of signing in and out on the pages site.
func (s *Service) Routes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/login", Access: web.Public("it begins a sign-in"), Serve: s.login},
		{Method: "GET", Path: RedirectPath, Access: web.Public("it ends a sign-in that this browser began"), Serve: s.callback},
		{Method: "POST", Path: "/logout", Access: web.Needs(identity.SelfSignOut), On: own, Serve: s.signOut},
		{Method: "GET", Path: LogoutPath, Access: web.Public("it only leads to the first page"), Serve: s.signedOut},
		{Method: "GET", Path: FrontChannelPath, Access: web.Public("only who knows a tenant session's ID can end it"), Serve: s.frontChannel},
		{Method: "GET", Path: stepUpPath, Access: web.Public("it leads to the sign-in; who is signed in sees what they asked for themselves"), Serve: s.stepUp},
		{Method: "POST", Path: stepUpPath, Access: web.Needs(identity.SelfStepUp), On: own, Serve: s.stepUpNow},
		{Method: "GET", Path: "/open", Access: web.Asks("what is asked for stands in the query"), Serve: s.handOff},
	}
}

func own(_ *http.Request, p identity.Principal) (identity.Resource, error) {
	return identity.Own(p.User), nil
}

func (s *Service) login(w http.ResponseWriter, r *http.Request) error {
	back := "/"
	if asked := r.URL.Query().Get("return"); asked != "" {
		path, err := web.LocalPath(asked)
		if err != nil {
			return err
		}
		back = path
	}
	return s.leave(w, r, underway{Return: back})
}

// leave sends a person to the tenant.
func (s *Service) leave(w http.ResponseWriter, r *http.Request, u underway) error {
	if s.c.Allow != nil && !s.c.Allow(r.RemoteAddr, s.c.Now()) {
		return problem.New(problem.TooMany, "Too many sign-ins are begun from your address. Try again in a minute.")
	}
	tenant, err := s.tenant(r.Context())
	if err != nil {
		return err
	}
	browser := ""
	if c := r.CookiesNamed(browserCookie); len(c) == 1 { // another tab has begun, too
		browser = c[0].Value
	} else {
		browser = random()
	}
	state := random()
	u.Nonce, u.Verifier, u.Browser = random(), oauth2.GenerateVerifier(), sha256.Sum256([]byte(browser))
	body, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if err := s.c.Once.PutOnce(r.Context(), stateKind, sha256.Sum256([]byte(state)), body, s.c.Now().Add(stateLife)); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written, so nobody can sign in now. Try again in a moment.")
	}
	web.SetCookie(w, browserCookie, browser, int(stateLife/time.Second))
	http.Redirect(w, r, tenant.oauth.AuthCodeURL(state, asking(u)...), http.StatusSeeOther)
	return nil
}

func (s *Service) callback(w http.ResponseWriter, r *http.Request) error {
	err := s.finish(w, r)
	if err != nil {
		s.refusals.add(audit.Event{
			Time: s.c.Now(), Action: "signin", Outcome: audit.Denied, IP: web.ClientIP(r), Reasons: []string{problem.Message(err)},
		})
	}
	return err
}

func (s *Service) finish(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	u, err := s.resume(r, q.Get("state"))
	if err != nil {
		return err
	}
	if iss := q.Get("iss"); iss != "" && iss != s.c.Tenant.Issuer { // RFC 9207
		return problem.New(problem.Denied, "The answer came from another issuer than the sign-in was begun at. Nothing was done.")
	}
	if code := q.Get("error"); code != "" {
		return problem.New(problem.Denied, "The tenant did not sign you in (%s). Try again, or ask your administrator.", printable(code))
	}
	tenant, err := s.tenant(r.Context())
	if err != nil {
		return err
	}
	ctx := oidc.ClientContext(r.Context(), s.c.HTTP)
	answer, err := s.c.Tenant.Credential.Token(r.Context(), s.c.HTTP, tenant.oauth.Endpoint.TokenURL, url.Values{
		"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {tenant.oauth.RedirectURL}, "code_verifier": {u.Verifier},
	})
	if err != nil {
		return exchangeFailed(err)
	}
	token, err := tenant.verify(ctx, answer.IDToken)
	if err != nil {
		return problem.Wrap(err, problem.Denied, "The tenant's answer was refused: its ID token does not verify.")
	}
	user, c, err := s.person(token, u.Nonce)
	if err != nil {
		return err
	}
	if u.StepUp != nil {
		return s.lift(w, r, u, user, c, token, answer.RefreshToken)
	}
	if err := s.begin(w, r, user, c, token, answer.RefreshToken); err != nil {
		return err
	}
	http.Redirect(w, r, u.Return, http.StatusSeeOther)
	return nil
}

// resume finds the sign-in that this browser began under a state, which is spent by that.
func (s *Service) resume(r *http.Request, state string) (underway, error) {
	body, ok, err := s.c.Once.TakeOnce(r.Context(), stateKind, sha256.Sum256([]byte(state)))
	if err != nil {
		return underway{}, problem.Wrap(err, problem.Unavailable, "The database cannot be read, so nobody can sign in now. Try again in a moment.")
	}
	again := problem.New(problem.Invalid, "This sign-in was not begun in this browser, was used already, or took too long. Sign in again.")
	if !ok {
		return underway{}, again
	}
	var u underway
	if err := json.Unmarshal(body, &u); err != nil {
		return underway{}, err
	}
	browser := r.CookiesNamed(browserCookie)
	if len(browser) != 1 || sha256.Sum256([]byte(browser[0].Value)) != u.Browser {
		return underway{}, again
	}
	return u, nil
}

func (s *Service) begin(w http.ResponseWriter, r *http.Request, user identity.UserID, c claims, token *oidc.IDToken, refresh string) error {
	signIn := session.SignIn{
		User: user, Name: c.Name, At: c.at(token, s.c.Now()), Strength: c.Strength, Contexts: c.Contexts, TenantSession: c.Session,
		TokenID: c.TokenID, Hint: c.Hint, Guest: c.guest(), IP: web.ClientIP(r), Agent: browserName(r),
	}
	signIn.At = s.sinceEnding(user, signIn.At, c.AuthTime > 0)
	if refresh != "" {
		signIn.Refresh = s.c.Sealer.Seal(RefreshAD(user), []byte(refresh))
	}
	if err := s.see(r.Context(), user, c, token, refresh); err != nil {
		return err
	}
	if _, ok := s.c.Facts().Directory.User(user); !ok && s.c.Unknown != nil {
		s.c.Unknown(user)
	}
	_, cookie, err := s.c.Sessions.Begin(r.Context(), signIn, s.site(), audit.Event{
		Time: s.c.Now(), Action: "signin", Outcome: audit.Done, User: audit.PersonOf(user, c.Name), IP: web.ClientIP(r),
		Detail: map[string]any{"user_name": c.UserName, "auth_time": signIn.At.UTC().Format(time.RFC3339)},
	})
	if err != nil {
		return err
	}
	s.endOld(r)
	web.SetCookie(w, browserCookie, "", -1)
	web.SetCookie(w, session.CookieName, cookie, 0)
	return nil
}

// browserName is what a browser calls itself, as much as is kept.
func browserName(r *http.Request) string {
	name := strings.ToValidUTF8(r.UserAgent(), "")
	if len(name) > 256 {
		name = strings.ToValidUTF8(name[:256], "")
	}
	return name
}

// endOld ends the browser session that the new one replaces: a session's ID never outlives a change of rights.
func (s *Service) endOld(r *http.Request) {
	old, err := s.c.Identify.Cookie(r, s.site())
	if err != nil || old.Session == "" {
		return
	}
	s.c.Sessions.EndSession(r.Context(), old.Session, "signed in anew in the same browser")
}

// site is the pages host as it stands in session rows.
func (s *Service) site() string { return web.Origin(s.c.URL) }

func exchangeFailed(err error) error {
	var refused *credential.Refused
	if errors.As(err, &refused) && refused.OfCredential() {
		return problem.Wrap(err, problem.Unavailable, "The tenant does not take Lanyard's own credential, so nobody can sign in now. Tell your administrator; `lanyard entra doctor` says what to do.")
	}
	if errors.As(err, &refused) && refused.OAuth != "" {
		return problem.Wrap(err, problem.Denied, "The tenant refused to complete the sign-in (%s). Sign in again.", printable(refused.OAuth))
	}
	return problem.Wrap(err, problem.Unavailable, "The tenant did not answer, so the sign-in could not be completed. Sign in again.")
}

// printable keeps what may stand in a message of a code that came from outside.
func printable(s string) string {
	clean := make([]rune, 0, 40)
	for _, c := range s {
		if len(clean) == cap(clean) {
			break
		}
		if c == '_' || c == '-' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			clean = append(clean, c)
		}
	}
	return string(clean)
}

func random() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// RefreshAD is what a user's refresh token is sealed as.
func RefreshAD(u identity.UserID) string { return "refresh-token " + u.Key() }
