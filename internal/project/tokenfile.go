package project

import (
	"encoding/pem"
	"net/url"
	"regexp"
	"strings"

	"github.com/lanyardhq/lanyard/internal/source"
)

// Programs that find their token by themselves.
const (
	ForPrograms   = "programs" // whoever reads LANYARD_TOKEN_FILE_<NAME>
	ForAWS        = "aws"
	ForAzure      = "azure"
	ForGoogle     = "google"
	ForKubernetes = "kubernetes"
)

// TokenFile says that workspaces keep what a program needs to find its tokens for an audience: a file with a token, always a
// fresh one, in memory; or, where the program asks by itself, a file that says how.
type TokenFile struct {
	For string
	// AWS: the role to assume, and the region, which may be empty.
	Role, Region string
	// Azure: the application that has the federated credential, and its tenant.
	Client, Tenant string
	// Google: the service account to act as; empty where the workload identity has rights of its own.
	ServiceAccount string
	// Kubernetes: the API server, and the certificates (PEM) of who signed its own; empty for the well-known ones.
	Server, Authority string
}

// Holds reports whether there is a token in a file of the workspace, and not only how to ask for one.
func (f *TokenFile) Holds() bool { return f != nil && f.For != ForKubernetes && f.For != ForGoogle }

var (
	roleARN        = shape(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$`)
	region         = shape(`^[a-z]{2}(-[a-z0-9]+){2,4}$`)
	serviceAccount = shape(`^[a-z0-9][a-z0-9.-]{0,126}@[a-z0-9][a-z0-9.-]{0,126}$`)
)

// readTokenFile reads `file:` of an audience.
func readTokenFile(v source.Value, a Audience) *TokenFile {
	m, ok := v.Mapping()
	if !ok {
		return nil
	}
	f := new(TokenFile)
	e, ok := m.Need("for")
	if !ok {
		return nil
	}
	f.For, _ = e.Value.Text()
	text := func(key string, into *string, form *regexp.Regexp, what string, needed bool) {
		e, found := m.Find(key)
		if !found {
			if needed {
				m.Need(key)
			}
			return
		}
		if s, ok := e.Value.Text(); ok && !form.MatchString(s) {
			e.Value.Report("%q is not %s", s, what)
		} else if ok {
			*into = s
		}
	}
	known := map[string][]string{ForPrograms: {}, ForAWS: {"role", "region"}, ForAzure: {"client_id", "tenant_id"}, ForGoogle: {"service_account"}, ForKubernetes: {"server", "authority"}}
	keys, ok := known[f.For]
	if !ok {
		e.Value.Report("what a file is for is aws, azure, google, kubernetes, or programs for any program that reads LANYARD_TOKEN_FILE_%s", a.Variable())
		return nil
	}
	m.Keys(append([]string{"for"}, keys...), nil)
	switch f.For {
	case ForAWS:
		text("role", &f.Role, roleARN(), "the ARN of a role, such as arn:aws:iam::123456789012:role/developers", true)
		text("region", &f.Region, region(), "a region, such as eu-central-1", false)
	case ForAzure:
		text("client_id", &f.Client, guid(), "an application's (client) ID", true)
		text("tenant_id", &f.Tenant, guid(), "a tenant's ID", true)
	case ForGoogle:
		text("service_account", &f.ServiceAccount, serviceAccount(), "a service account's address", false)
		if !strings.HasPrefix(strings.TrimPrefix(a.Value, "https:"), "//iam.googleapis.com/") {
			v.Report("for Google the audience's `aud` is the name of the workload identity provider: //iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER")
		}
	case ForKubernetes:
		readCluster(m, f)
	}
	if f.Holds() && a.Lifetime > MaxFederationLife {
		v.Report("a token in a file lives for at most %s; %s has lifetime %s", MaxFederationLife, a.Name, a.Lifetime)
	}
	if f.Holds() && a.Sensitive != "" {
		v.Report("%s is sensitive: its tokens are got by a person who has just signed in for that, so no file can keep them", a.Name)
	}
	return f
}

func readCluster(m source.Mapping, f *TokenFile) {
	if e, found := m.Need("server"); found {
		if s, ok := e.Value.Text(); ok {
			if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
				e.Value.Report("%q is not the https address of an API server", s)
			} else {
				f.Server = s
			}
		}
	}
	if e, found := m.Find("authority"); found {
		if s, ok := e.Value.Text(); ok {
			block, _ := pem.Decode([]byte(s))
			if block == nil || block.Type != "CERTIFICATE" {
				e.Value.Report("the authority of an API server is its certificate, as PEM text")
			} else {
				f.Authority = s
			}
		}
	}
}

// Variable is the audience's name as a part of an environment variable's.
func (a Audience) Variable() string {
	return strings.ToUpper(strings.ReplaceAll(a.Name, "-", "_"))
}
