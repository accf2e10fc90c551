package project

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/source"
)

// RefRule says who may do what with the refs of a repository that match it. The first rule that matches a ref holds for it;
// what no rule matches is as the policies say. A rule takes away and never gives: who may not push at all pushes nothing.
type RefRule struct {
	Patterns []RefPattern
	Push     Who // move it forward
	Force    Who // move it elsewhere: commits are lost; a tag that is there is always moved by force
	Create   Who
	Delete   Who
}

// Who is the least that a rule wants.
type Who uint8

const (
	AnyPusher   Who = iota // whoever the policies let push
	Maintainers            // who may also repo:maintain
	Nobody
)

func (w Who) String() string { return [...]string{"developer", "maintainer", "nobody"}[w] }

// RefPattern is a full ref name, segment by segment. A * stands for any text within its segment; a last segment ** for all
// that follows.
type RefPattern string

// Match reports whether a full ref name matches.
func (p RefPattern) Match(ref string) bool {
	pattern, name := string(p), ref
	for {
		want, moreWanted, deeper := strings.Cut(pattern, "/")
		if want == "**" {
			return name != ""
		}
		have, rest, more := strings.Cut(name, "/")
		before, after, wild := strings.Cut(want, "*")
		switch {
		case !wild && want != have,
			wild && (len(have) < len(before)+len(after) || !strings.HasPrefix(have, before) || !strings.HasSuffix(have, after)):
			return false
		case !deeper || !more:
			return deeper == more
		}
		pattern, name = moreWanted, rest
	}
}

// RefRule is the rule for a ref, and the pattern of it that matched; without one everything is left to the policies.
func (r Repository) RefRule(ref string) (rule RefRule, by RefPattern) {
	for _, rule := range r.Refs {
		for _, p := range rule.Patterns {
			if p.Match(ref) {
				return rule, p
			}
		}
	}
	return RefRule{}, ""
}

// maxRefRules bounds what each ref of a push is compared with.
const maxRefRules = 100

func readRefRules(v source.Value) (rules []RefRule) {
	list, _ := v.List()
	if len(list) > maxRefRules {
		v.Report("a repository has at most %d rules for its refs", maxRefRules)
		return nil
	}
	for _, one := range list {
		m, ok := one.Mapping()
		if !ok {
			continue
		}
		m.Keys([]string{"match", "push", "force", "create", "delete"}, nil)
		var rule RefRule
		if e, ok := m.Need("match"); ok {
			rule.Patterns = readPatterns(e.Value)
		}
		rule.Push = readWho(m, "push", AnyPusher)
		rule.Force, rule.Create, rule.Delete = readWho(m, "force", rule.Push), readWho(m, "create", rule.Push), readWho(m, "delete", rule.Push)
		rules = append(rules, rule)
	}
	return rules
}

// readWho reads one of a rule's verbs; what is not said is as strict as push.
func readWho(m source.Mapping, verb string, absent Who) Who {
	e, ok := m.Find(verb)
	if !ok {
		return absent
	}
	s, ok := e.Value.Text()
	if !ok {
		return Nobody
	}
	who := slices.Index([]string{AnyPusher.String(), Maintainers.String(), Nobody.String()}, s)
	if who < 0 {
		e.Value.Report("%q may not %s; write developer, maintainer or nobody", s, verb)
		return Nobody
	}
	return Who(who)
}

func readPatterns(v source.Value) (patterns []RefPattern) {
	values := []source.Value{v}
	if !v.IsText() {
		values, _ = v.List()
	}
	for _, one := range values {
		s, ok := one.Text()
		if !ok {
			continue
		}
		if err := checkPattern(s); err != nil {
			one.Report("%v", err)
			continue
		}
		patterns = append(patterns, RefPattern(s))
	}
	return patterns
}

func checkPattern(s string) error {
	segments := strings.Split(s, "/")
	if len(segments) < 2 || segments[0] != "refs" {
		return fmt.Errorf("%q names no refs; write whole names such as refs/heads/main, refs/heads/release/* or refs/tags/**", s)
	}
	for i, one := range segments {
		switch {
		case one == "":
			return fmt.Errorf("%q has an empty segment", s)
		case one == "**" && i == len(segments)-1:
		case strings.Count(one, "*") > 1:
			return fmt.Errorf("%q: a segment has one * at most, and ** is a whole segment and the last", s)
		case strings.ContainsAny(one, " ~^:?[\\") || strings.Contains(one, ".."):
			return fmt.Errorf("%q: no ref is called %q", s, one)
		}
	}
	return nil
}
