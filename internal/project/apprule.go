package project

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/source"
)

// AppRule says who may send the requests to an app that match it.
type AppRule struct {
	Methods []string // as requests spell them; empty: any
	Path    AppPath
	Role    Role // the least that is wanted; NoRole: nobody may
}

// AppRules are an app's rules in the order of its file. The first that matches a request holds for it. Where there are
// any, what none matches is refused; where there are none, everything is as the policies say.
type AppRules []AppRule

// Entrance is what is asked of who wants to send anything at all to the app.
func (a App) Entrance() identity.Action {
	if slices.ContainsFunc(a.Rules, func(r AppRule) bool { return r.Role == Viewer }) {
		return identity.AppView
	}
	return identity.AppCall
}

// Ruling is what rules say of one request.
type Ruling struct {
	Role Role   // who may send it; NoRole: nobody
	By   string // the rule, for messages; empty when none matches
	Why  string // why nobody may
}

// Rule is the ruling on a request by its method and its escaped path, which has one reading (see gateway.Path). The query
// is no part of it.
func (r AppRules) Rule(method, path string) Ruling {
	if strings.Contains(path, ";") {
		return Ruling{Why: "an app with rules is asked without ; in the path, which programs read differently"}
	}
	for i := range r {
		rule := &r[i]
		if len(rule.Methods) > 0 && !slices.Contains(rule.Methods, method) {
			continue
		}
		switch rule.Path.match(path) {
		case matches:
			ruling := Ruling{Role: rule.Role, By: rule.String()}
			if rule.Role == NoRole {
				ruling.Why = fmt.Sprintf("the project refuses it (%s)", ruling.By)
			}
			return ruling
		case misspelt:
			return Ruling{By: rule.String(), Why: fmt.Sprintf("the path is the rule's (%s) but for upper and lower case, which apps read differently", rule)}
		}
	}
	return Ruling{Why: "no rule of the app allows it"}
}

// String is the rule as the file says it.
func (r AppRule) String() string {
	if len(r.Methods) == 0 {
		return string(r.Path)
	}
	return strings.Join(r.Methods, ", ") + " " + string(r.Path)
}

// AppPath is a pattern for paths, segment by segment and decoded: a * is one segment, a last ** any number of them. A slash
// at the end of a path makes no difference.
type AppPath string

type match uint8

const (
	differs  match = iota
	matches        //
	misspelt       // it would match if case did not count
)

func (p AppPath) match(path string) match {
	pattern, rest := strings.Trim(string(p), "/"), strings.Trim(path, "/")
	found := matches
	for {
		want, patternLeft, _ := strings.Cut(pattern, "/")
		if want == "**" {
			return found
		}
		have, restLeft, _ := strings.Cut(rest, "/")
		switch {
		case pattern == "" && rest == "":
			return found
		case pattern == "" || rest == "":
			return differs
		}
		if want != "*" {
			if strings.IndexByte(have, '%') >= 0 {
				if decoded, err := url.PathUnescape(have); err == nil {
					have = decoded
				}
			}
			switch {
			case have == want:
			case strings.EqualFold(have, want):
				found = misspelt
			default:
				return differs
			}
		}
		pattern, rest = patternLeft, restLeft
	}
}

var (
	method     = shape(`^[A-Z][A-Z-]{0,30}$`)
	appSegment = shape(`^[^/*%;?#\\\x00-\x20\x7f]+$`)
)

// maxAppRules bounds what each request is compared with.
const maxAppRules = 100

func readAppRules(v source.Value) (rules AppRules) {
	list, _ := v.List()
	if len(list) > maxAppRules {
		v.Report("an app has at most %d rules", maxAppRules)
		return nil
	}
	for _, one := range list {
		if m, ok := one.Mapping(); ok {
			rules = append(rules, readAppRule(m))
		}
	}
	return rules
}

func readAppRule(m source.Mapping) (rule AppRule) {
	m.Keys([]string{"methods", "path", "roles", "refuse"}, map[string]string{
		"query": "is no part of a rule: it decides nothing, and is the app's alone to read", "regex": "is not read; write the path's segments, with * for one and ** for the rest",
		"role": "is written as a list: roles: [developer]", "method": "is written as a list: methods: [GET]",
	})
	if e, ok := m.Find("methods"); ok {
		for _, l := range e.Value.Texts() {
			if !method().MatchString(l.Text) {
				e.Value.Report("%q is not a method; write it in capitals, such as GET", l.Text)
				continue
			}
			rule.Methods = append(rule.Methods, l.Text)
		}
		if len(rule.Methods) == 0 {
			e.Value.Report("names no method; leave `methods` out for all of them")
		}
	}
	if e, ok := m.Need("path"); ok {
		if text, ok := e.Value.Text(); ok {
			if wrong := checkAppPath(text); wrong != "" {
				e.Value.Report("%s", wrong)
			}
			rule.Path = AppPath(text)
		}
	}
	roles, hasRoles := m.Find("roles")
	refuse, hasRefuse := m.Find("refuse")
	switch {
	case hasRoles == hasRefuse:
		m.Report("a rule has either `roles: […]`, whose members may, or `refuse: true`")
	case hasRoles:
		rule.Role = readLeast(roles.Value)
	default:
		if yes, ok := refuse.Value.Bool(); ok && !yes {
			refuse.Value.Report("refuse is true or left out; who may is said by `roles`")
		}
	}
	return rule
}

// readLeast reads a list of roles: the weakest of them is wanted, since who holds a stronger one holds it too.
func readLeast(v source.Value) (least Role) {
	texts := v.Texts()
	if len(texts) == 0 {
		v.Report("names no role; to refuse to everybody, write refuse: true")
	}
	for _, l := range texts {
		role := Role(l.Text)
		if !slices.Contains(policy.ProjectRoles(), role) {
			v.Report("%q is not a role of a project; there are viewer, developer and maintainer", l.Text)
			continue
		}
		if least == NoRole || least.Includes(role) {
			least = role
		}
	}
	return least
}

// checkAppPath says what is wrong with a pattern; empty when nothing is.
func checkAppPath(text string) string {
	if !strings.HasPrefix(text, "/") || len(text) > 1024 {
		return "a path begins with a slash, as the app sees it, and has at most 1024 bytes"
	}
	segments := strings.Split(strings.Trim(text, "/"), "/")
	for i, s := range segments {
		switch {
		case text == "/" || s == "*":
		case s == "**" && i == len(segments)-1:
		case s == "**":
			return "** stands for the rest of a path, so it is its last segment"
		case s == "." || s == "..":
			return "a path has no dot segments"
		case s == "":
			return "a path has no empty segments"
		case !appSegment().MatchString(s):
			return fmt.Sprintf("the segment %s is not written plainly: a * stands alone for a whole segment, and there are no encodings, spaces, ; ? # or \\", quote(s))
		}
	}
	return ""
}
