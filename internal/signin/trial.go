package signin

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// A trial is a sign-in that begins no session. Who looks after Lanyard makes a link that works once; who opens it is told
// who made it and what they will see, signs in as always if they want to, and both see what the tenant says of the person. Nothing of it is kept beyond trialKept, and the refresh
// token is thrown away.
const (
	trialPath     = "/login/test"
	trialLife     = 15 * time.Minute // until when the link may be opened
	trialKept     = time.Hour
	trialCodeKind = "sign-in-test-code"
	trialKind     = "sign-in-test"
	triedKind     = "sign-in-tested"
)

// Trial is a test of signing in.
type Trial struct {
	ID      string                     `json:"id"`
	URL     string                     `json:"-"`    // to be opened; its code is spent when the person goes on
	By      string                     `json:"by"`   // who made it, for show
	Ends    time.Time                  `json:"ends"` // until when it may be
	At      time.Time                  `json:"at,omitzero"`
	Problem string                     `json:"problem,omitempty"` // why it was refused, as the person was told
	User    identity.UserID            `json:"user,omitzero"`
	Name    string                     `json:"name,omitempty"`
	Refresh bool                       `json:"refresh,omitempty"` // a refresh token came
	Claims  map[string]json.RawMessage `json:"claims,omitempty"`  // of the ID token
	Groups  []string                   `json:"groups,omitempty"`  // that the tenant names, and app roles
	Roles   []string                   `json:"roles,omitempty"`
}

// Over reports whether somebody has come back from the tenant.
func (t Trial) Over() bool { return !t.At.IsZero() }

// TrialBegin is what a person who opens a link is asked.
type TrialBegin struct {
	Code string
	By   string // who made the link, and will see what comes
}

// unshown are claims that nobody is shown: with them one could sign a person out or begin sign-ins in their name.
var unshown = []string{"nonce", "sid", "login_hint"}

// NewTrial makes a link for one test; by is who asks for it, as the person is told.
func (s *Service) NewTrial(ctx context.Context, by string) (Trial, error) {
	code := random()
	t := Trial{ID: random(), By: by, Ends: s.c.Now().Add(trialLife)}
	t.URL = s.c.URL + trialPath + "?" + url.Values{"code": {code}}.Encode()
	body, err := json.Marshal(t)
	if err != nil {
		return Trial{}, err
	}
	if err = s.c.Once.PutOnce(ctx, trialKind, sha256.Sum256([]byte(t.ID)), body, s.c.Now().Add(trialKept)); err == nil {
		err = s.c.Once.PutOnce(ctx, trialCodeKind, sha256.Sum256([]byte(code)), body, t.Ends)
	}
	if err != nil {
		return Trial{}, problem.Wrap(err, problem.Unavailable, "The database cannot be written, so nothing can be tested now. Try again in a moment.")
	}
	return t, nil
}

// Trial is how a test stands.
func (s *Service) Trial(ctx context.Context, id string) (Trial, error) {
	hash := sha256.Sum256([]byte(id))
	body, ok, err := s.c.Once.SeeOnce(ctx, triedKind, hash)
	if err == nil && !ok {
		body, ok, err = s.c.Once.SeeOnce(ctx, trialKind, hash)
	}
	if err != nil {
		return Trial{}, problem.Wrap(err, problem.Unavailable, "The database cannot be read now. Try again in a moment.")
	}
	if !ok {
		return Trial{}, problem.New(problem.NotFound, "There is no such test of signing in, or it was more than an hour ago.")
	}
	var t Trial
	if err := json.Unmarshal(body, &t); err != nil {
		return Trial{}, err
	}
	return t, nil
}

// askTrial asks whoever opened a link whether they want to go on: where the tenant knows them, nothing else would.
func (s *Service) askTrial(w http.ResponseWriter, r *http.Request) error {
	code := r.URL.Query().Get("code")
	t, err := trialOf(s.c.Once.SeeOnce(r.Context(), trialCodeKind, sha256.Sum256([]byte(code))))
	if err != nil {
		return err
	}
	if _, err := s.tenant(r.Context()); err != nil { // where the form leads is known before it is shown: the page's policy names it
		return err
	}
	s.c.TrialBegin(w, TrialBegin{Code: code, By: t.By})
	return nil
}

// try begins a test.
func (s *Service) try(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return problem.New(problem.Invalid, "The form cannot be read. Open the link again.")
	}
	t, err := trialOf(s.c.Once.TakeOnce(r.Context(), trialCodeKind, sha256.Sum256([]byte(r.PostForm.Get("code")))))
	if err != nil {
		return err
	}
	return s.leave(w, r, underway{Return: "/", Trial: t.ID})
}

// trialOf is the test that a code stands for.
func trialOf(body []byte, ok bool, err error) (t Trial, _ error) {
	if err != nil {
		return t, problem.Wrap(err, problem.Unavailable, "The database cannot be read now. Try again in a moment.")
	}
	if !ok {
		return t, problem.New(problem.Invalid, "This link was used, or is more than 15 minutes old. Ask for another one: `lanyard entra doctor --sign-in` prints it.")
	}
	return t, json.Unmarshal(body, &t)
}

// tried shows what came, and keeps it for who asked.
func (s *Service) tried(w http.ResponseWriter, r *http.Request, u underway, user identity.UserID, c claims, token *oidc.IDToken, refresh bool) error {
	t := Trial{ID: u.Trial, At: s.c.Now().UTC(), User: user, Name: c.Name, Refresh: refresh, Groups: c.Groups, Roles: c.Roles}
	if err := token.Claims(&t.Claims); err != nil {
		return problem.Wrap(err, problem.Denied, "The tenant's answer was refused: its ID token cannot be read.")
	}
	for name, value := range c.said { // UserInfo says what the token does not
		t.Claims[name] = value
	}
	for _, name := range unshown {
		delete(t.Claims, name)
	}
	if err := s.keepTried(r.Context(), t); err != nil {
		return err
	}
	s.c.Audit.Later(audit.Event{Time: s.c.Now(), Action: "signin:test", Outcome: audit.Done, User: audit.PersonOf(user, c.Name), IP: web.ClientIP(r)})
	s.c.TrialPage(w, t)
	return nil
}

// triedInVain keeps why a test was refused. The person is told as always.
func (s *Service) triedInVain(ctx context.Context, id string, why error) {
	if err := s.keepTried(ctx, Trial{ID: id, At: s.c.Now().UTC(), Problem: problem.Message(why)}); err != nil {
		s.c.Log.Warn("how a test of signing in ended could not be kept", "error", err)
	}
}

func (s *Service) keepTried(ctx context.Context, t Trial) error {
	body, err := json.Marshal(t)
	if err == nil {
		err = s.c.Once.PutOnce(ctx, triedKind, sha256.Sum256([]byte(t.ID)), body, s.c.Now().Add(trialKept))
	}
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written, so the test could not be kept. Try again in a moment.")
	}
	return nil
}
