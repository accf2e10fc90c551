package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// Who is refused something because it takes a stronger sign-in gets a link with a code. It stands for that one thing and
// that one person, it can be used once, within stepUpLife. The page behind it says what was asked for and by what, so
// that a link which somebody else's code printed lifts nothing unseen, and leads to the tenant. What the tenant then
// says becomes a grant for that one thing; no session changes.
const (
	stepUpPath = "/step-up"
	stepUpKind = "step-up"
	stepUpLife = 5 * time.Minute
)

// authContext is the shape of an authentication context's ID: Entra knows c1 to c99, others name their own.
var authContext = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$`)

// refused is a request that a stronger sign-in would allow.
type refused struct {
	User      identity.UserID      `json:"user"`
	Session   identity.SessionID   `json:"session"`
	Workspace identity.WorkspaceID `json:"workspace,omitempty"`
	Action    identity.Action      `json:"action"`
	Resource  identity.Resource    `json:"resource"`
	Context   string               `json:"context"`
	Asked     time.Time            `json:"asked"`
}

// asking is what a sign-in asks of the tenant.
func (s *Service) asking(u underway) []oauth2.AuthCodeOption {
	authenticationContext := ""
	if u.StepUp != nil {
		authenticationContext = u.StepUp.Context
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(u.Nonce), oauth2.S256ChallengeOption(u.Verifier), oauth2.SetAuthURLParam(correlationParam, u.Correlation)}
	return slices.Concat(options, s.wishes(u), s.dialect.options(authenticationContext, u.Prompt))
}

// claimsParameter asks for one claim of the ID token (OpenID Connect Core, section 5.5).
func claimsParameter(name, value string) oauth2.AuthCodeOption {
	return oauth2.SetAuthURLParam("claims", fmt.Sprintf(`{"id_token":{%q:{"essential":true,"value":%q}}}`, name, value))
}

// offers are the codes that were given and not used, as far as this process gave them: who tries again gets the same.
type offers struct {
	mu    sync.Mutex
	given map[offer]given
}

type offer struct {
	session  identity.SessionID
	action   identity.Action
	resource identity.Resource
	context  string
}

type given struct {
	code string
	at   time.Time
}

// Bounds of what is refused: a program that asks all the time is told the same code, and then none.
const (
	sameCode  = 2 * time.Minute // a code is told again for so long
	maxOffers = 20              // of one session, within stepUpLife
)

// Offer is the address at which the person who was refused steps up for that request, or signs in afresh where no context
// is named; empty where none can be given.
// It is access.Config's StepUp.
func (s *Service) Offer(r access.Request, authenticationContext string) string {
	p := r.Principal
	if authenticationContext == "" {
		return s.c.URL + loginAt("/", promptLogin)
	}
	if p.Session == "" || !authContext.MatchString(authenticationContext) {
		return ""
	}
	now := s.c.Now()
	key := offer{p.Session, r.Action, r.Resource, authenticationContext}
	code, fresh := s.offers.code(key, now)
	if code == "" {
		return ""
	}
	if fresh {
		body, err := json.Marshal(refused{User: p.User, Session: p.Session, Workspace: p.Workspace, Action: r.Action, Resource: r.Resource,
			Context: authenticationContext, Asked: now.UTC()})
		if err != nil {
			return ""
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := s.c.Once.PutOnce(ctx, stepUpKind, codeHash(code), body, now.Add(stepUpLife)); err != nil {
			s.offers.drop(key)
			s.c.Log.Warn("a link to step up with could not be kept, so none is given", "error", err)
			return ""
		}
	}
	return s.c.URL + stepUpPath + "?" + url.Values{"code": {code}}.Encode()
}

// code is the code for an offer: the one that was given lately, or a fresh one; none when there were too many.
func (o *offers) code(key offer, now time.Time) (code string, fresh bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.given == nil {
		o.given = map[offer]given{}
	}
	if g, ok := o.given[key]; ok && now.Sub(g.at) < sameCode {
		return g.code, false
	}
	same := 0
	for k, g := range o.given {
		if now.Sub(g.at) >= stepUpLife {
			delete(o.given, k)
		} else if k.session == key.session {
			same++
		}
	}
	if same >= maxOffers {
		return "", false
	}
	code = newCode()
	o.given[key] = given{code, now}
	return code, true
}

// drop forgets an offer, whose code is used or was never kept.
func (o *offers) drop(key offer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.given, key)
}

// Codes are made of letters that are told apart and spell nothing (RFC 8628, 6.1).
const (
	codeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	codeLength  = 10
)

func newCode() string {
	var b strings.Builder
	for i := range codeLength {
		if i == codeLength/2 {
			b.WriteByte('-')
		}
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(codeLetters))))
		if err != nil {
			return "" // crypto/rand never fails
		}
		b.WriteByte(codeLetters[n.Int64()])
	}
	return b.String()
}

// codeHash is what a code is kept under, however a person typed it.
func codeHash(typed string) [32]byte {
	clean := strings.Map(func(c rune) rune {
		if strings.ContainsRune(codeLetters, c) {
			return c
		}
		return -1
	}, strings.ToUpper(typed))
	return sha256.Sum256([]byte(clean))
}
