package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/lanyardhq/lanyard/internal/source"
)

// mentioned are the entities that a policy names.
func mentioned(p *ast.Policy) []types.EntityUID {
	var out []types.EntityUID
	add := func(uids ...types.EntityUID) {
		for _, uid := range uids {
			if !slices.Contains(out, uid) {
				out = append(out, uid)
			}
		}
	}
	for _, scope := range []ast.IsScopeNode{p.Principal, p.Resource} {
		switch s := scope.(type) {
		case ast.ScopeTypeEq:
			add(s.Entity)
		case ast.ScopeTypeIn:
			add(s.Entity)
		case ast.ScopeTypeIsIn:
			add(s.Entity)
		}
	}
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeValue); ok {
				add(entitiesIn(v.Value)...)
			}
			return true
		})
	}
	return out
}

func entitiesIn(v types.Value) []types.EntityUID {
	switch v := v.(type) {
	case types.EntityUID:
		return []types.EntityUID{v}
	case types.Set:
		var out []types.EntityUID
		for one := range v.All() {
			out = append(out, entitiesIn(one)...)
		}
		return out
	case types.Record:
		var out []types.EntityUID
		for _, one := range v.All() {
			out = append(out, entitiesIn(one)...)
		}
		return out
	}
	return nil
}

var (
	guid       = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	roleOfSome = regexp.MustCompile(`^p-[a-z2-7]{16}/(viewer|developer|maintainer)$`)
)

// checkName says what is wrong with an entity that a policy names: one that can never be met would make a policy
// silently mean nothing.
func (p *parser) checkName(uid types.EntityUID) string {
	id := string(uid.ID)
	switch uid.Type {
	case typeUser, typeGroup:
		what := strings.ToLower(string(uid.Type))
		if !guid.MatchString(string(p.tenant)) || guid.MatchString(id) {
			return ""
		}
		if guid.MatchString(strings.ToLower(id)) {
			return fmt.Sprintf("write the object ID in lower case: %s::%q", uid.Type, strings.ToLower(id))
		}
		return fmt.Sprintf("%q is not an object ID; a policy names a %s by its object ID, never by name or e-mail: %s::\"00000000-0000-0000-0000-000000000000\"", id, what, uid.Type)
	case typeRole:
		if id != string(Admin) && id != string(Auditor) && !roleOfSome.MatchString(id) {
			return fmt.Sprintf("there is no Role::%q; write Role::\"admin\" or Role::\"auditor\", and for a project's roles `principal in resource.developers`", id)
		}
	case typeProject:
		if !strings.HasPrefix(id, "p-") {
			return fmt.Sprintf("Project::%q is not a project's ID; compare its name instead: `resource.project == %q`", id, id)
		}
	}
	return ""
}

// nothingApplies is how the validator says that a scope can never be met.
const nothingApplies = "unable to find an applicable action"

var quoted = regexp.MustCompile("`([^`]*)`")

// explain finds the place that a finding of the validator is about, and says it in words for an administrator.
func (p *parser) explain(words []token, message string) (offset int, text string) {
	offset = words[0].offset
	var subject string
	if m := quoted.FindStringSubmatch(message); m != nil {
		subject = m[1]
	}
	switch {
	case strings.HasPrefix(message, "unrecognized action"):
		name := strings.Trim(strings.TrimPrefix(subject, "Action::"), `"`)
		known := make([]string, 0, len(p.schema.Actions))
		for uid := range p.schema.Actions {
			known = append(known, string(uid.ID))
		}
		slices.Sort(known)
		text = fmt.Sprintf("there is no action %q", name)
		if near := source.Nearest(name, known); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		} else {
			text += "; there are " + strings.Join(known, ", ")
		}
		return locate(words, "Action", "::", name), text
	case strings.HasPrefix(message, "unrecognized entity type"):
		var known []string
		for t := range p.schema.Entities {
			known = append(known, string(t))
		}
		slices.Sort(known)
		return locate(words, strings.Split(subject, "::")[0]), fmt.Sprintf("there is no entity type %s; there are %s", subject, strings.Join(known, ", "))
	case strings.HasPrefix(message, "attribute"), strings.HasPrefix(message, "unable to guarantee safety"):
		name := subject[strings.LastIndexByte(subject, '.')+1:]
		for _, before := range []string{".", "[", "has"} {
			if i := find(words, before, name); i >= 0 {
				return words[i+1].offset, attributeMessage(words[:i], name, message)
			}
		}
		return offset, message
	case strings.HasPrefix(message, nothingApplies):
		return offset, "no action can meet this policy: principal, action and resource do not go together"
	}
	for i, w := range words {
		if w.text == "when" || w.text == "unless" {
			return words[i].offset, message
		}
	}
	return offset, message
}

// attributeMessage says of an attribute that may be missing how to ask for it.
func attributeMessage(before []token, name, message string) string {
	if !strings.HasPrefix(message, "unable to guarantee safety of access to optional attribute") || len(before) == 0 {
		return message
	}
	return fmt.Sprintf("`%s` may be missing; ask first whether it is there: `%s has %s && …`", name, before[len(before)-1].text, name)
}
