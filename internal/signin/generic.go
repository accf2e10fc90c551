package signin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// OIDC says how another OpenID provider than Entra is asked, and where it says what. A user of it is issuer and `sub`.
type OIDC struct {
	Name      string        // for people
	Scopes    []string      // openid among them
	Groups    []string      // where a person's groups are named: a claim, and names of members within it
	Roles     []string      // the same of app roles; empty: there are none
	Prompt    string        // of a sign-in; empty: none
	TokenAuth string        // how a client secret is shown: client_secret_basic, client_secret_post; empty: as discovery lists
	MaxAge    time.Duration // a sign-in that is older is asked for anew; 0: any is taken
}

// RedirectPath is where the tenant sends people back to. Each issuer has its own, so that an answer of another one cannot
// be taken for its (mix-up; RFC 9700, section 4.4).
func (t Tenant) RedirectPath() string {
	if t.OIDC == nil {
		return RedirectPath
	}
	sum := sha256.Sum256([]byte(t.Issuer))
	return "/login/callback/" + hex.EncodeToString(sum[:5])
}

// Name is what people call the tenant.
func (t Tenant) Name() string {
	if t.OIDC == nil {
		return "Microsoft Entra ID"
	}
	return t.OIDC.Name
}

// generic is how the standards say it: OpenID Connect Core 1.0.
type generic struct {
	tenant Tenant
	http   *http.Client
	now    func() time.Time
}

func (g generic) scopes() []string { return g.tenant.OIDC.Scopes }
func (g generic) again() string    { return strings.Join(g.tenant.OIDC.Scopes, " ") }
func (g generic) sources() string  { return g.tenant.OIDC.Groups[0] }

// asymmetric are the algorithms of which the provider alone has the key that signs (RFC 7518, section 3.1; RFC 8037).
var asymmetric = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// algorithms: a list without one that is asymmetric leaves what every provider has to have (OpenID Connect Discovery,
// section 3).
func (g generic) algorithms(listed []string) []string {
	var all []string
	for _, a := range asymmetric {
		if slices.Contains(listed, a) {
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return []string{oidc.RS256}
	}
	return all
}

// options: how strong a sign-in is to be is asked for in both ways that there are (OpenID Connect Core, 3.1.2.1 and 5.5.1.1).
func (g generic) options(context, prompt string) (all []oauth2.AuthCodeOption) {
	o := g.tenant.OIDC
	if prompt = strings.TrimSpace(prompt + " " + o.Prompt); prompt != "" {
		all = append(all, oauth2.SetAuthURLParam("prompt", prompt))
	}
	if o.MaxAge > 0 {
		all = append(all, oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(o.MaxAge/time.Second))))
	}
	if context != "" {
		all = append(all, oauth2.SetAuthURLParam("acr_values", context), claimsParameter("acr", context))
	}
	return all
}

// subject is what `sub` may be: up to 255 characters of ASCII (OpenID Connect Core, section 2), none of them one that is
// not seen.
var subject = regexp.MustCompile(`^[!-~]{1,255}$`)

// issuedAhead is how far a token may be dated ahead, for clocks that differ.
const issuedAhead = 5 * time.Minute

// person reads the ID token's claims, and asks UserInfo where that does not name the groups: many providers say there
// what a scope asks for (OpenID Connect Core, section 5.4).
func (g generic) person(ctx context.Context, p *provider, said map[string]json.RawMessage, token *oidc.IDToken, access string) (identity.UserID, claims, error) {
	party := text(said["azp"])
	switch {
	case !subject.MatchString(token.Subject):
		return identity.UserID{}, claims{}, refusedToken("its subject (sub) is not one")
	case party != "" && party != g.tenant.ClientID, len(token.Audience) > 1 && party == "":
		return identity.UserID{}, claims{}, refusedToken("it was made for another application (azp)")
	case token.IssuedAt.IsZero() || token.IssuedAt.After(g.now().Add(issuedAhead)):
		return identity.UserID{}, claims{}, refusedToken("it is not valid yet; compare this machine's clock with the provider's")
	case token.AccessTokenHash != "" && token.VerifyAccessToken(access) != nil:
		return identity.UserID{}, claims{}, refusedToken("its access token is another one's (at_hash)")
	}
	if _, named := at(said, g.tenant.OIDC.Groups); !named && said["hasgroups"] == nil && p.userinfo != "" {
		more, err := g.userinfo(ctx, p, token.Subject, access)
		if err != nil {
			return identity.UserID{}, claims{}, err
		}
		for name, value := range more {
			if _, there := said[name]; !there || name == g.tenant.OIDC.Groups[0] {
				said[name] = value
			}
		}
	}
	return g.read(token.Subject, said)
}

func (g generic) anew(ctx context.Context, p *provider, subject, access string) (identity.UserID, claims, error) {
	said, err := g.userinfo(ctx, p, subject, access)
	if err != nil {
		return identity.UserID{}, claims{}, err
	}
	return g.read(subject, said)
}

// read makes the user of claims that were checked. E-mail and names are for show.
func (g generic) read(subject string, said map[string]json.RawMessage) (identity.UserID, claims, error) {
	if string(said["hasgroups"]) == "true" {
		return identity.UserID{}, claims{}, refusedToken(fmt.Sprintf("it says the claim %s elsewhere, where Lanyard does not ask; let the provider put it into the token or UserInfo", g.sources()))
	}
	c := claims{
		Name: text(said["name"]), UserName: text(said["preferred_username"]), Session: text(said["sid"]), Strength: text(said["acr"]), TokenID: text(said["jti"]),
	}
	c.Mail, c.said = text(said["email"]), said
	var at float64 // a NumericDate may have fractions (RFC 7519, section 2)
	if json.Unmarshal(said["auth_time"], &at) == nil && at > 0 && at < 1<<40 {
		c.AuthTime = int64(at)
	}
	for _, other := range []string{c.UserName, c.Mail, subject} {
		if c.UserName == "" {
			c.UserName = other
		}
	}
	if c.Name == "" {
		c.Name = c.UserName
	}
	if c.Strength != "" && c.Strength != "0" { // "0" is no strength at all (OpenID Connect Core, section 2)
		c.Contexts = []string{c.Strength}
	}
	c.Groups, c.Roles = named(said, g.tenant.OIDC.Groups), named(said, g.tenant.OIDC.Roles)
	return identity.UserID{Tenant: g.tenant.ID, Object: subject}, c, nil
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // what is no text says nothing
	return s
}

// at is the value at a path into claims.
func at(said map[string]json.RawMessage, path []string) (value json.RawMessage, ok bool) {
	for i, name := range path {
		if value, ok = said[name]; !ok {
			return nil, false
		}
		if i == len(path)-1 {
			break
		}
		said = nil
		if json.Unmarshal(value, &said) != nil {
			return nil, false
		}
	}
	return value, ok
}

// named are the texts at a path: those of a list, one text, or the names of an object's members. What is something else
// names nothing.
func named(said map[string]json.RawMessage, path []string) (all []string) {
	value, ok := at(said, path)
	if !ok {
		return nil
	}
	var list []json.RawMessage
	var members map[string]json.RawMessage
	switch {
	case json.Unmarshal(value, &list) == nil:
		for _, one := range list {
			if s := text(one); s != "" {
				all = append(all, s)
			}
		}
	case json.Unmarshal(value, &members) == nil:
		for name := range members {
			if name != "" {
				all = append(all, name)
			}
		}
		slices.Sort(all)
	default:
		if s := text(value); s != "" {
			all = []string{s}
		}
	}
	return all
}

// onlyEntra refuses a token that Entra alone gives.
func (s *Service) onlyEntra() error {
	if s.c.Tenant.OIDC == nil {
		return nil
	}
	return problem.New(problem.BadUpstream, "The project gives this an `entra` credential, and people sign in here at %s, which has none. Ask your administrator to choose another kind of credential.", s.c.Tenant.Name())
}
