package signin

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/aadsts"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/session/review"
	"github.com/lanyardhq/lanyard/internal/web"
)

// loginPath is where a sign-in begins.
const loginPath = "/login"

// Routes are the addresses of signing in and out on the pages site.
func (s *Service) Routes() []web.Route {
	routes := []web.Route{
		{Method: "GET", Path: loginPath, Access: web.Public("it begins a sign-in"), Serve: s.login},
		{Method: "GET", Path: s.c.Tenant.RedirectPath(), Access: web.Public("it ends a sign-in that this browser began"), Serve: s.callback},
		{Method: "POST", Path: "/logout", Access: web.Needs(identity.SelfSignOut), On: own, Serve: s.signOut},
		{Method: "GET", Path: LogoutPath, Access: web.Public("it only leads to the first page"), Serve: s.signedOut},
		{Method: "GET", Path: FrontChannelPath, Access: web.Public("only who knows a tenant session's ID can end it"), Serve: s.frontChannel},
		{Method: "GET", Path: stepUpPath, Access: web.Public("it leads to the sign-in; who is signed in sees what they asked for themselves"), Serve: s.stepUp},
		{Method: "POST", Path: stepUpPath, Access: web.Needs(identity.SelfStepUp), On: own, Serve: s.stepUpNow},
		{Method: "GET", Path: trialPath, Access: web.Public("it asks whoever was given a link whether they want to test signing in"), Serve: s.askTrial},
		{Method: "POST", Path: trialPath, Access: web.Public("only who was given a link that works once; no session begins"), Serve: s.try},
		{Method: "GET", Path: "/open", Access: web.Asks("what is asked for stands in the query"), Serve: s.handOff},
	}
	if s.c.FormPost {
		routes = append(routes, web.Route{Method: "POST", Path: s.c.Tenant.RedirectPath(), Access: web.Public("it keeps an answer to a sign-in that this browser began"), Serve: s.posted})
	}
	return routes
}

func own(_ *http.Request, p identity.Principal) (identity.Resource, error) {
	return identity.Own(p.User), nil
}

// login begins a sign-in. `return` is a path to come back to, or an address of another of Lanyard's sites; `hint` names who is likely to sign in; `prompt` may be
// select_account or login; `challenge` is what the tenant wants to be asked for.
func (s *Service) login(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	u := underway{Return: "/", Hint: q.Get("hint")}
	if asked := q.Get("return"); asked != "" {
		if u.Return = s.back(asked); u.Return == "" {
			_, err := web.LocalPath(asked)
			return err
		}
	}
	if u.Hint != "" && !hinted.MatchString(u.Hint) {
		return problem.New(problem.Invalid, "The hint is no name that somebody signs in by.")
	}
	switch prompt := q.Get("prompt"); prompt {
	case "":
	case promptChoose, promptLogin:
		u.Prompt = prompt
	default:
		return problem.New(problem.Invalid, "The prompt can be %s or %s and nothing else.", promptChoose, promptLogin)
	}
	if sealed := q.Get("challenge"); sealed != "" {
		c, err := s.challenged(sealed)
		if err != nil {
			return err
		}
		u.For, u.Claims, u.Hint = c.User, c.Claims, s.hint(c.User)
	}
	if u.Hint == "" {
		u.Hint = s.former(r)
	}
	return s.leave(w, r, u)
}

// hinted is the shape of a user name or an address: no control characters, no spaces.
var hinted = regexp.MustCompile(`^[^\x00-\x20\x7f]{1,320}$`)

// leave sends a person to the tenant.
func (s *Service) leave(w http.ResponseWriter, r *http.Request, u underway) error {
	if s.c.Allow != nil && !s.c.Allow(r.RemoteAddr, s.c.Now()) {
		return problem.New(problem.TooMany, "Too many sign-ins are begun from your address. Try again in a minute.")
	}
	tenant, err := s.tenant(r.Context())
	if err != nil {
		return err
	}
	u.Issuer = s.c.Tenant.Issuer
	u.Nonce, u.Verifier, u.Correlation = random(), oauth2.GenerateVerifier(), newCorrelation()
	state, err := s.keep(w, r, &u)
	if err != nil {
		return err
	}
	http.Redirect(w, r, tenant.oauth.AuthCodeURL(state, s.asking(u)...), http.StatusSeeOther)
	return nil
}

// wishes are the parameters of one sign-in that others have not.
func (s *Service) wishes(u underway) (all []oauth2.AuthCodeOption) {
	wish := func(name, value string) {
		if value != "" {
			all = append(all, oauth2.SetAuthURLParam(name, value))
		}
	}
	if s.c.FormPost {
		wish("response_mode", "form_post")
	}
	wish("prompt", u.Prompt)
	wish("claims", u.Claims)
	if u.Prompt != promptChoose { // Entra takes one of the two
		wish("login_hint", u.Hint)
	}
	return all
}

func (s *Service) callback(w http.ResponseWriter, r *http.Request) error {
	err := s.finish(w, r)
	if err != nil {
		s.refusals.add(audit.Event{
			Time: s.c.Now(), Action: "signin", Outcome: audit.Denied, IP: web.ClientIP(r), Reasons: []string{problem.Message(err)}, Detail: noted(err),
		})
	}
	return err
}

func (s *Service) finish(w http.ResponseWriter, r *http.Request) error {
	q, err := s.answer(r)
	if err != nil {
		return err
	}
	if q.Get("admin_consent") != "" && q.Get("code") == "" { // an administrator comes from consenting for all; nothing was asked for here
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	u, used, err := s.resume(r, q.Get("state"))
	if err != nil {
		return err
	}
	if used {
		if s.here(r) == nil {
			return s.again(u, "This sign-in was used already, so nothing was done.")
		}
		http.Redirect(w, r, cmp.Or(u.Return, "/"), http.StatusSeeOther) // somebody went back in their browser
		return nil
	}
	err = s.complete(w, r, u, q)
	if err != nil && u.Trial != "" {
		s.triedInVain(r.Context(), u.Trial, err)
	}
	var p *problem.Error
	if errors.As(err, &p) { // whatever it was, what is wanted is not lost
		if p.Help == nil {
			p.Help = &problem.Help{}
		}
		if p.Help.Correlation == "" {
			p.Help.Correlation = u.Correlation
		}
		if u.StepUp == nil && u.Trial == "" { // those begin at links of their own
			p.Help.Again, p.Help.Other = loginAt(u.Return, ""), loginAt(u.Return, promptChoose)
		}
	}
	return err
}

// complete does what a sign-in was begun for with what the tenant answered.
func (s *Service) complete(w http.ResponseWriter, r *http.Request, u underway, q url.Values) error {
	tenant, err := s.tenant(r.Context())
	if err != nil {
		return err
	}
	if err := s.fromIssuer(tenant, u, q); err != nil {
		return err
	}
	if code := q.Get("error"); code != "" {
		return explained(nil, kindOf(code), "The tenant did not sign you in", code, aadsts.Read(q.Get("error_description")))
	}
	if q.Get("code") == "" {
		return problem.New(problem.Invalid, "The tenant's answer holds no code, so the sign-in was not completed.")
	}
	answer, err := s.c.Tenant.Credential.Token(r.Context(), s.c.HTTP, tenant.oauth.Endpoint.TokenURL, url.Values{
		"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {tenant.oauth.RedirectURL}, "code_verifier": {u.Verifier},
	})
	if err != nil {
		return exchangeFailed(err)
	}
	token, user, c, err := s.identified(r.Context(), tenant, answer, u.Nonce)
	if err != nil {
		return err
	}
	c.correlation = u.Correlation
	if _, err := s.remember(r, review.Arrival, user, c, token); err != nil { // whatever becomes of it, the tenant's log has it
		return err
	}
	if c.guest() && s.c.NoGuests {
		return noGuests()
	}
	switch {
	case u.Trial != "":
		return s.tried(w, r, u, user, c, token, answer.RefreshToken != "")
	case u.StepUp != nil:
		return s.lift(w, r, u, user, c, token, answer.RefreshToken)
	case !u.For.IsZero() && u.For != user:
		return problem.New(problem.Denied, "You signed in as somebody else than was asked to, so nothing has changed.")
	case u.Prompt != promptLogin && s.tooOld(c, token):
		u.Prompt = promptLogin // once: the tenant knew the person from long ago
		return s.leave(w, r, u)
	}
	if row := s.here(r); row == nil || row.User != user || !u.For.IsZero() || !row.Created.After(u.Begun) {
		if err := s.begin(w, r, u, user, c, token, answer.RefreshToken); err != nil {
			return err
		}
	} // else another tab was faster, and what it began is this browser's
	http.Redirect(w, r, u.Return, http.StatusSeeOther)
	return nil
}

// here is the session that the browser has on the pages; nil when it has none.
func (s *Service) here(r *http.Request) *session.Session {
	who, err := s.c.Identify.Cookie(r, s.site())
	if err != nil || who.Session == "" {
		return nil
	}
	return s.c.Sessions.Set().Row(who.Session)
}

// tooOld reports whether a sign-in would be over as soon as it began.
func (s *Service) tooOld(c claims, token *oidc.IDToken) bool {
	now := s.c.Now()
	return !now.Before(s.c.Sessions.Expiry(session.SignIn{At: c.at(token, now), Guest: c.guest()}))
}

func noGuests() error {
	return &problem.Error{Kind: problem.Denied, Message: "You are a guest of this organisation, and Lanyard lets no guests in here.", Help: &problem.Help{
		Who: string(aadsts.Operator), Do: "They say in lanyard.yaml, under entra.guests, whether guests may sign in. With an account of the organisation itself you may sign in now.",
	}}
}

func (s *Service) begin(w http.ResponseWriter, r *http.Request, u underway, user identity.UserID, c claims, token *oidc.IDToken, refresh string) error {
	signIn := session.SignIn{
		User: user, Name: c.Name, At: c.at(token, s.c.Now()), Strength: c.Strength, Contexts: c.Contexts, TenantSession: c.Session,
		TokenID: c.TokenID, Hint: c.Hint, Guest: c.guest(), IP: web.ClientIP(r), Agent: browserName(r), Correlation: c.correlation,
	}
	signIn.At = s.sinceEnding(user, signIn.At, c.AuthTime > 0)
	if refresh != "" {
		signIn.Refresh = s.c.Sealer.Seal(RefreshAD(user), []byte(refresh))
	}
	if err := s.see(r.Context(), user, c, refresh); err != nil {
		return err
	}
	if _, ok := s.c.Facts().Directory.User(user); !ok && s.c.Unknown != nil {
		s.c.Unknown(user)
	}
	row, err := s.remember(r, review.SignIn, user, c, token)
	if err != nil {
		return err
	}
	detail := told(row)
	detail["user_name"], detail["auth_time"] = c.UserName, signIn.At.UTC().Format(time.RFC3339)
	begin := s.c.Sessions.Begin
	if !u.For.IsZero() || u.Prompt == promptLogin { // who was asked for a fresh sign-in goes on with it in their workspaces
		begin = s.c.Sessions.BeginAgain
	}
	_, cookie, err := begin(r.Context(), signIn, s.site(), audit.Event{
		Time: s.c.Now(), Action: "signin", Outcome: audit.Done, User: audit.PersonOf(user, c.Name), IP: web.ClientIP(r),
		Detail: detail,
	})
	if err != nil {
		return err
	}
	s.endOld(r)
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
