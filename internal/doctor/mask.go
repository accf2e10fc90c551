package doctor

import (
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/api"
)

// masked is what stands for names: the same stands for the same, so that what was equal is equal.
type masked struct {
	names map[string]map[string]string // by kind
	hosts []string                     // seen in addresses, the longest first
}

// mask takes out of an observation what names people, places and organisations. A string of which nothing is known is
// treated as text in which anything may stand.
func mask(h *api.DirectoryHealth) {
	m := &masked{names: map[string]map[string]string{}}
	h.Findings = nil
	if h.SignIn != nil {
		h.SignIn.Claims = m.claims(h.SignIn.Claims)
		h.SignIn.URL, h.SignIn.ID = "", ""
	}
	m.each(reflect.ValueOf(h), "", func(path, s string) string { m.look(path, s); return s })
	slices.SortFunc(m.hosts, func(a, b string) int { return len(b) - len(a) })
	m.each(reflect.ValueOf(h), "", m.field)
}

// kinds say what stands in fields that are names as a whole.
var kinds = map[string]string{
	"Provider":                  "provider-",
	"Credentials.File":          "/file-",
	"Registration.Name":         "app-",
	"Registration.AppRoles":     "role-",
	"Registration.Secrets.Name": "secret-", "Registration.Certificates.Name": "certificate-", "Registration.Federated.Name": "federated-",
	"Registration.Federated.Subject": "subject-",
	"Outside.Issuer":                 "authority-",
	"SignIn.Name":                    "person-",
	"SignIn.Groups.Name":             "group-", "SignIn.Groups.Path": "group-", "SignIn.AppRoles.Name": "role-", "SignIn.AppRoles.Path": "role-", "SignIn.AppRoles.ID": "role-",
	"SignIn.Projects.ID": "project-id-", "SignIn.Projects.Name": "project-", "SignIn.Projects.Via": "group-", "SignIn.Projects.Path": "group-",
}

// named are fields that are GUIDs at Entra, and at other providers what these like.
var named = map[string]string{"SignIn.User": "u-", "SignIn.Groups.ID": "group-", "Registration.ClientID": "client-"}

func (m *masked) field(path, s string) string {
	if s == "" {
		return ""
	}
	if kind, known := kinds[path]; known {
		return m.name(kind, s)
	}
	if kind := named[path]; kind != "" && !guids.MatchString(s) {
		return m.name(kind, s)
	}
	if path == "Outside.Names" {
		if rest, wild := strings.CutPrefix(s, "*."); wild {
			return "*." + m.host(rest)
		}
		return m.host(s)
	}
	return m.text(s)
}

// name is what stands for a name.
func (m *masked) name(kind, s string) string {
	if m.names[kind] == nil {
		m.names[kind] = map[string]string{}
	}
	if m.names[kind][s] == "" {
		m.names[kind][s] = fmt.Sprintf("%s%d", kind, len(m.names[kind])+1)
	}
	return m.names[kind][s]
}

// public are hosts that everybody's tenant has.
var public = regexp.MustCompile(`(^|\.)(microsoftonline\.(com|us)|microsoft\.com|windows\.net|partner\.microsoftonline\.cn|chinacloudapi\.cn|localhost)$`)

// sample are hosts of documents and tests.
var sample = regexp.MustCompile(`^[a-z0-9.-]+\.example\.test$`)

// host is what stands for a host, with its port.
func (m *masked) host(s string) string {
	name, port, found := strings.Cut(s, ":")
	if strings.Trim(port, "0123456789") != "" { // no host with its port
		name, found = s, false
	}
	if public.MatchString(strings.ToLower(name)) || name == "127.0.0.1" || sample.MatchString(name) {
		return s
	}
	masked := m.name("host-", name) + ".example.test"
	if found {
		masked += ":" + port
	}
	return masked
}

var (
	addresses = regexp.MustCompile(`https?://[^\s"'<>()\\,;]+`)
	mails     = regexp.MustCompile(`[A-Za-z0-9._%+#-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`)
	guids     = regexp.MustCompile(`[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}`)
	numbers   = regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}\b|\[?[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){3,7}\]?`)
	files     = regexp.MustCompile(`(^|[\s"'(=])(/[^\s"'():,;]+)`)
	quoted    = regexp.MustCompile(`"[^"]*"`)
	single    = regexp.MustCompile(`(^|[\s(])'[^']{1,200}'([\s.,;:)]|$)`)
	bracketed = regexp.MustCompile(`\([^()]*\)`)
)

// microsoft are IDs that are the same in every tenant.
var microsoft = []string{"00000003-0000-0000-c000-000000000000", "00000000-0000-0000-0000-000000000000"}

// bare are the places of texts where hosts stand without an address: what crypto/x509 says of a certificate for other names
// (HostnameError), and what net says of a name that is not found (DNSError).
var bare = regexp.MustCompile(`valid for ([^\s,]+(?:, [^\s,]+)*), not (\S+)|none matched (\S+)|wanted to match (\S+)|lookup (\S+?)(?::? |$)`)

// look notes the hosts that stand in a text.
func (m *masked) look(path, s string) {
	for _, at := range addresses.FindAllString(s, -1) {
		if u, err := url.Parse(at); err == nil {
			m.note(u.Hostname())
		}
	}
	if path == "Outside.Names" {
		m.dotted(s)
	}
	for _, found := range bare.FindAllStringSubmatch(s, -1) {
		for _, names := range found[1:] {
			for name := range strings.SplitSeq(names, ", ") {
				m.dotted(name)
			}
		}
	}
}

// dotted notes a host, or what it is a wildcard for. One without a dot may be any word.
func (m *masked) dotted(name string) {
	if name = strings.TrimPrefix(strings.TrimRight(name, ".,;:)"), "*."); strings.Contains(name, ".") {
		m.note(name)
	}
}

func (m *masked) note(host string) {
	if host != "" && !public.MatchString(strings.ToLower(host)) && !slices.Contains(m.hosts, host) {
		m.hosts = append(m.hosts, host)
	}
}

func (m *masked) text(s string) string {
	var kept []string // what is done, put aside so that nothing later changes it
	aside := func(done string) string {
		kept = append(kept, done)
		return fmt.Sprintf("\x00%d\x00", len(kept)-1)
	}
	s = strings.ReplaceAll(s, "\x00", "")
	s = addresses.ReplaceAllStringFunc(s, func(at string) string {
		u, err := url.Parse(at)
		if err != nil {
			return aside("https://host.example.test")
		}
		return aside(u.Scheme + "://" + m.host(u.Host) + m.ids(u.Path))
	})
	s = mails.ReplaceAllStringFunc(s, func(x string) string { return aside(m.name("person-", strings.ToLower(x)) + "@example.test") })
	for _, host := range m.hosts {
		s = strings.ReplaceAll(s, host, aside(m.host(host)))
	}
	s = m.ids(s)
	s = numbers.ReplaceAllStringFunc(s, m.ip)
	s = files.ReplaceAllStringFunc(s, func(x string) string {
		at := strings.IndexByte(x, '/')
		return x[:at] + aside(m.name("/file-", x[at:]))
	})
	if strings.ContainsAny(s, " ") { // a sentence: what it quotes is somebody's
		s = quoted.ReplaceAllString(s, `"…"`)
		s = single.ReplaceAllString(s, "$1'…'$2")
		s = bracketed.ReplaceAllStringFunc(s, func(x string) string {
			if strings.Contains(x, "AADSTS") {
				return x
			}
			return "(…)"
		})
	}
	for i := len(kept) - 1; i >= 0; i-- {
		s = strings.ReplaceAll(s, fmt.Sprintf("\x00%d\x00", i), kept[i])
	}
	return s
}

// ids puts others in the place of GUIDs.
func (m *masked) ids(s string) string {
	return guids.ReplaceAllStringFunc(s, func(x string) string {
		x = strings.ToLower(x)
		if slices.Contains(microsoft, x) {
			return x
		}
		m.name("id", x)
		n := strings.TrimPrefix(m.names["id"][x], "id")
		return "00000000-0000-4000-8000-" + strings.Repeat("0", max(0, 12-len(n))) + n
	})
}

func (m *masked) ip(s string) string {
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil || a.IsLoopback() || a.IsUnspecified() {
		return s
	}
	return "192.0.2." + strings.TrimPrefix(m.name("ip", a.String()), "ip")
}

// harmless are claims whose values say nothing of a person.
var harmless = []string{"ver", "aud", "iss", "tid", "iat", "nbf", "exp", "auth_time", "acr", "acrs", "amr", "acct", "hasgroups", "xms_cc", "_claim_names"}

// counted are claims of which it matters how many values they have.
var counted = []string{"groups", "roles", "wids"}

func (m *masked) claims(all []api.Claim) []api.Claim {
	kept := make([]api.Claim, 0, len(all))
	for _, c := range all {
		switch {
		case slices.Contains(harmless, c.Name):
		case slices.Contains(counted, c.Name):
			c.Value = strconv.Itoa(strings.Count(c.Value, ",") + 1)
		default:
			c.Value = `"…"`
		}
		kept = append(kept, c)
	}
	return kept
}

// each replaces every string below v by what f makes of it; path names the field, without indices.
func (m *masked) each(v reflect.Value, path string, f func(path, s string) string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			m.each(v.Elem(), path, f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			at := field.Name
			if path != "" {
				at = path + "." + at
			}
			m.each(v.Field(i), at, f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			m.each(v.Index(i), path, f)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(f(path, v.String()))
		}
	}
}
