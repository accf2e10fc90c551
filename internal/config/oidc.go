package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// OIDC is another OpenID provider than Entra, and Lanyard's client there.
type OIDC struct {
	Issuer      string // to the letter what its tokens carry as `iss`
	Name        string // what the sign-in button calls it
	ClientID    string
	Credentials []credential.Files
	TokenAuth   string   // how a client secret is shown: client_secret_basic or client_secret_post; empty: as the provider lists
	Scopes      []string // openid among them
	GroupsClaim []string // where the names of a person's groups are: a claim, and the names of members within it
	RolesClaim  []string // the same of app roles; empty: there are none
	Prompt      string   // of the sign-in; empty: none
}

// The ways to show a client secret (OpenID Connect Core, section 9).
const (
	secretBasic = "client_secret_basic"
	secretPost  = "client_secret_post"
)

// scopesOfSignIn are asked for when a configuration says nothing else: offline_access for the refresh token with which a
// person's groups are read again.
var scopesOfSignIn = []string{"openid", "profile", "email", "offline_access"}

// Tenant is whose users and groups are meant: the Entra tenant, or the issuer.
func (c *Config) Tenant() identity.TenantID {
	if c.OIDC != nil {
		return identity.TenantID(c.OIDC.Issuer)
	}
	return c.Entra.Tenant
}

// Credentials are those of Lanyard's client at whoever signs people in.
func (c *Config) Credentials() []credential.Files {
	if c.OIDC != nil {
		return c.OIDC.Credentials
	}
	return c.Entra.Credentials
}

// provider reads where people sign in: at Entra, or at another OpenID provider.
func (p *parser) provider(m source.Mapping) {
	entra, atEntra := m.Find("entra")
	other, elsewhere := m.Find("oidc")
	switch {
	case atEntra && elsewhere:
		other.At.Report("people sign in at one place: write either `entra` or `oidc`")
	case atEntra:
		p.entra(entra.Value)
	case elsewhere:
		p.oidc(other.Value)
	case p.draft: // `lanyard entra setup` writes it
	default:
		m.Report("`entra` is missing, which says where people sign in; for another OpenID provider write `oidc`")
	}
}

var (
	scopeToken = regexp.MustCompile(`^[!#-\[\]-~]+$`) // RFC 6749, section 3.3
	clientName = regexp.MustCompile(`^[ -~]{1,255}$`) // RFC 6749, appendix A.1
)

func (p *parser) oidc(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"issuer", "name", "client_id", "credential", "token_endpoint_auth_method", "scopes", "groups_claim", "roles_claim", "prompt"}, map[string]string{
		"secret": inPlace + "credential: {secret_file: …}", "client_secret": inPlace + "credential: {secret_file: …}",
	})
	o := &OIDC{Scopes: scopesOfSignIn}
	p.config.OIDC = o
	p.config.Directory.Members = FromSignIn // nobody else can be asked
	if p.config.ListenReplicas != "" {
		m.Report("with `oidc` memberships come from sign-ins, which one server keeps; leave listen_replicas out")
	}
	if e, ok := m.Need("issuer"); ok {
		p.issuer(e.Value, o)
	}
	if e, ok := m.Need("client_id"); ok {
		if o.ClientID, ok = e.Value.Text(); ok && !clientName.MatchString(o.ClientID) {
			e.Value.Report("this is not a client ID; write what the provider calls Lanyard's client")
		}
	}
	if e, ok := m.Find("name"); ok {
		if o.Name, ok = e.Value.Text(); ok && len(o.Name) > 60 {
			e.Value.Report("the name stands on a button; write up to 60 characters")
		}
	}
	if e, ok := m.Need("credential"); ok {
		p.clientCredentials(e.Value)
	}
	o.TokenAuth = choiceOf(m, "token_endpoint_auth_method", secretBasic, secretPost)
	o.Prompt = choiceOf(m, "prompt", "consent", "login", "select_account")
	if e, ok := m.Find("scopes"); ok {
		p.scopes(e.Value, o)
	}
	if e, ok := m.Need("groups_claim"); ok {
		o.GroupsClaim = claimPath(e.Value)
	}
	if e, ok := m.Find("roles_claim"); ok {
		o.RolesClaim = claimPath(e.Value)
	}
}

// issuer reads the issuer's URL, which is compared to the letter: a slash at its end belongs to it.
func (p *parser) issuer(v source.Value, o *OIDC) {
	s, ok := v.Text()
	if !ok {
		return
	}
	u, ok := p.address(v, s)
	if !ok {
		return
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		v.Report("the provider is spoken to over https://")
		return
	}
	if strings.HasSuffix(u.Path, "/.well-known/openid-configuration") {
		v.Report("write the issuer alone, without /.well-known/openid-configuration: it is the text after \"issuer\" in that document")
		return
	}
	if microsoft(u) {
		v.Report("people of an Entra tenant sign in by `entra`, which knows them by their object ID; write that instead")
		return
	}
	o.Issuer, o.Name = s, u.Hostname()
}

// microsoft reports whether an issuer is Entra: there `sub` is another for each application, and groups are read.
func microsoft(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return host == "login.microsoftonline.com" || host == "sts.windows.net" || host == "login.microsoftonline.us" || host == "login.partner.microsoftonline.cn"
}

func (p *parser) scopes(v source.Value, o *OIDC) {
	o.Scopes = nil
	for _, one := range v.Texts() {
		if !scopeToken.MatchString(one.Text) {
			v.Report("%q is not a scope; write a list, such as [openid, profile, offline_access]", one.Text)
			return
		}
		o.Scopes = append(o.Scopes, one.Text)
	}
	if !slices.Contains(o.Scopes, "openid") {
		v.Report("the scope openid is what makes it a sign-in; add it")
	}
}

// claimPath reads the name of a claim, or a list of names that lead into one that is an object.
func claimPath(v source.Value) []string {
	path := oneOrMore(v)
	if len(path) > 8 {
		v.Report("write the name of a claim, or up to 8 names that lead into it: [realm_access, roles]")
		return nil
	}
	return path
}

// choiceOf reads one of several words; empty when the key is missing.
func choiceOf(m source.Mapping, key string, words ...string) string {
	e, ok := m.Find(key)
	if !ok {
		return ""
	}
	s, ok := e.Value.Text()
	if ok && !slices.Contains(words, s) {
		e.Value.Report("is one of %s", strings.Join(words, ", "))
		return ""
	}
	return s
}
