package project

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// EgressRule is one entry of `workspace.egress`: where a project's workspaces may connect to beyond what is a resource.
type EgressRule struct {
	Text string // as written
	Host string // lower case; with Below its subdomains, and not itself; empty: every host
	// Below says that the entry is "*.HOST".
	Below bool
	Port  int // 0: 80 and 443
}

// matches reports whether the entry is for a host, in lower case, and a port.
func (r EgressRule) matches(host string, port int) bool {
	if r.Port != port && (r.Port != 0 || port != 80 && port != 443) {
		return false
	}
	switch {
	case r.Host == "":
		return true
	case r.Below:
		return len(host) > len(r.Host)+1 && strings.HasSuffix(host, r.Host) && host[len(host)-len(r.Host)-1] == '.'
	}
	return host == r.Host
}

// Resource is the entry as something to decide on: of several hosts, one that it is for.
func (r EgressRule) Resource(p identity.ProjectID) identity.Resource {
	host, port := r.Host, r.Port
	switch {
	case host == "":
		host = "example.com"
	case r.Below:
		host = "www." + host
	}
	if port == 0 {
		port = 443
	}
	return EgressResource(host, port, p)
}

// EgressTo is the first entry that lets the project's workspaces connect to a host and port.
func (p Project) EgressTo(host string, port int) (EgressRule, bool) {
	for _, r := range p.Workspace.Egress {
		if r.matches(host, port) {
			return r, true
		}
	}
	return EgressRule{}, false
}

// EgressResource names a host, as ParseEgressHost gives it, and a port for a decision.
func EgressResource(host string, port int, p identity.ProjectID) identity.Resource {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return identity.Resource{Kind: identity.KindEgress, Name: host + ":" + strconv.Itoa(port), Project: p}
}

// SplitEgress is a host and port as EgressResource names them, or as a person does: without a port it is 443.
func SplitEgress(s string) (host string, port int, ok bool) {
	host, port = s, 443
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") && (strings.Count(s, ":") == 1 || s[0] == '[') {
		n, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || n == 0 || s[i+1] == '0' {
			return "", 0, false
		}
		host, port = s[:i], int(n)
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		if host, bracketed = strings.CutSuffix(inner, "]"); !bracketed || !strings.Contains(host, ":") {
			return "", 0, false
		}
	}
	host, ok = ParseEgressHost(host)
	return host, port, ok
}

// ParseEgressHost reads a host's name or address as it is compared: in lower case, without a dot at its end. Names of other
// letters are written in their ASCII form (xn--…). What one program takes for an address and another for a name is refused.
func ParseEgressHost(s string) (string, bool) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.String(), ip.Zone() == ""
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if len(s) > 253 || !hostName().MatchString(s) {
		return "", false
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if last[0] >= '0' && last[0] <= '9' { // 127.1, 0x7f000001, 2130706433: addresses to some (https://url.spec.whatwg.org/#ends-in-a-number-checker)
		return "", false
	}
	return s, true
}

var hostName = shape(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$`)

// readEgress reads the list of `workspace.egress`.
func readEgress(v source.Value) []EgressRule {
	list, _ := v.List()
	rules := make([]EgressRule, 0, len(list))
	for _, one := range list {
		text, ok := one.Text()
		if !ok {
			continue
		}
		rule, ok := parseEgressRule(text)
		if !ok {
			one.Report("%q is not where workspaces could connect to; write a host such as pypi.org, all below a domain as *.example.com, a port of its own as host:22, or * for every public host", text)
			continue
		}
		rules = append(rules, rule)
	}
	return rules
}

func parseEgressRule(text string) (EgressRule, bool) {
	rule := EgressRule{Text: text}
	if text == "*" {
		return rule, true
	}
	rest, below := strings.CutPrefix(text, "*.")
	host, port, ok := SplitEgress(rest)
	if !ok || strings.HasSuffix(rest, ".") {
		return rule, false
	}
	if _, err := netip.ParseAddr(host); err == nil && below {
		return rule, false
	}
	rule.Host, rule.Below = host, below
	if strings.HasSuffix(rest, ":"+strconv.Itoa(port)) && (strings.Count(rest, ":") == 1 || rest[0] == '[') {
		rule.Port = port
	}
	return rule, true
}
