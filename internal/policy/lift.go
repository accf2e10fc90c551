package policy

import (
	"fmt"
	"regexp"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/lanyardhq/lanyard/internal/source"
)

// lift says what takes a forbid away: signing in with an authentication context, or an approval.
type lift struct {
	stepUp    string // the authentication context
	sensitive bool   // the authentication context that the resource names
	approval  string // the object ID of the group whose members may approve
}

// ofResource is the value of @step_up for the context that the resource itself names.
const ofResource = "resource.sensitive"

// contextShape is what the ID of an authentication context looks like: Entra knows c1 to c99, others name their own.
var contextShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$`)

func (l lift) stepsUp() bool { return l.stepUp != "" || l.sensitive }

func (l lift) context(v *view) string {
	if l.sensitive {
		return v.sensitive()
	}
	return l.stepUp
}

// readLift reads @step_up and @approval of a policy, and proves that a step-up would take the policy away: its
// condition must be the absence of that authentication context, joined by "and" with nothing else that reads contexts.
func (p *parser) readLift(f File, words []token, policy *ast.Policy) (l lift) {
	var stepUp, approval int // where they stand
	has := 0
	for _, a := range policy.Annotations {
		at := locate(words, "@", string(a.Key))
		switch a.Key {
		case "step_up":
			has++
			stepUp = at
			if l.stepUp = string(a.Value); a.Value == ofResource {
				l = lift{sensitive: true, approval: l.approval}
			}
		case "approval":
			has++
			approval = at
			l.approval = string(a.Value)
		default:
			if near := source.Nearest(string(a.Key), []string{"step_up", "approval"}); near != "" {
				p.report(f, at, "`@%s` means nothing; did you mean `@%s`?", a.Key, near)
			}
			continue
		}
		if policy.Effect == ast.EffectPermit {
			p.report(f, at, "`@%s` belongs to a forbid: it says what takes the forbid away. A permit that should need it stays as it is, with a forbid beside it", a.Key)
			return lift{}
		}
	}
	if has == 2 {
		p.report(f, max(stepUp, approval), "a forbid has `@step_up` or `@approval`, not both; write two forbids, then both are asked for")
		return lift{}
	}
	for _, a := range policy.Annotations {
		switch {
		case a.Key == "approval":
			if wrong := p.checkApproval(string(a.Value)); wrong != "" {
				p.report(f, approval, "%s", wrong)
			}
		case a.Key == "step_up" && a.Value == "":
			p.report(f, stepUp, "`@step_up` names the authentication context to sign in with: @step_up(\"c1\"), or @step_up(%q) for the one that the repository's project file names", ofResource)
			return lift{}
		case a.Key == "step_up" && !contextShape.MatchString(string(a.Value)):
			p.report(f, stepUp, "%q is not an authentication context; write its ID, such as @step_up(\"c1\")", a.Value)
			return lift{}
		}
	}
	if l.stepsUp() {
		if at, wrong := l.prove(words, policy); wrong != "" {
			p.report(f, at, "%s", wrong)
		}
	}
	return l
}

func (p *parser) checkApproval(group string) string {
	const is = "`@approval` names the group whose members may approve, by its object ID: @approval(\"00000000-0000-0000-0000-000000000000\")"
	if group == "" {
		return is
	}
	if !guid.MatchString(string(p.tenant)) || guid.MatchString(group) {
		return ""
	}
	return fmt.Sprintf("%q is not an object ID; %s", group, is)
}

// prove finds the one part of the condition that is the absence of the context. What is wrong is told with its place.
func (l lift) prove(words []token, policy *ast.Policy) (at int, wrong string) {
	want, written := ast.IsNode(ast.NodeValue{Value: types.String(l.stepUp)}), fmt.Sprintf("%q", l.stepUp)
	if l.sensitive {
		want = ast.NodeTypeAccess{StrOpNode: ast.StrOpNode{Arg: ast.NodeTypeVariable{Name: "resource"}, Value: "sensitive"}}
		written = ofResource
	}
	said := locate(words, "@", "step_up")
	proven, before := false, 0 // how often contexts were read in the parts before
	for _, part := range conjuncts(policy) {
		if negated, ok := part.(ast.NodeTypeNot); ok && !proven {
			if c, ok := negated.Arg.(ast.NodeTypeContains); ok && isContexts(c.Left) && c.Right == want {
				proven = true
				before++
				continue
			}
		}
		if nodeReads(part)&readsContexts == 0 {
			continue
		}
		place := said
		rest := words
		for i := find(rest, "context", ".", "contexts"); i >= 0; i = find(rest, "context", ".", "contexts") {
			place, rest = rest[i].offset, rest[i+1:]
			if before--; before < 0 {
				break
			}
		}
		return place, fmt.Sprintf("whether signing in with %s takes this forbid away cannot be proven: the one thing that it says of authentication contexts must be `unless { context.contexts.contains(%s) }`, joined with other conditions by `&&`", written, written)
	}
	if !proven {
		return said, fmt.Sprintf("signing in with %s does not take this forbid away; add `unless { context.contexts.contains(%s) }`", written, written)
	}
	return 0, ""
}

// conjuncts are the parts of a policy's condition that must all be true.
func conjuncts(p *ast.Policy) []ast.IsNode {
	var out []ast.IsNode
	for _, c := range p.Conditions {
		out = split(out, c.Body, c.Condition == ast.ConditionWhen)
	}
	return out
}

// split adds the conjuncts of n, or of its negation.
func split(out []ast.IsNode, n ast.IsNode, positive bool) []ast.IsNode {
	switch n := n.(type) {
	case ast.NodeTypeNot:
		return split(out, n.Arg, !positive)
	case ast.NodeTypeAnd:
		if positive {
			return split(split(out, n.Left, true), n.Right, true)
		}
	case ast.NodeTypeOr:
		if !positive {
			return split(split(out, n.Left, false), n.Right, false)
		}
	}
	if !positive {
		n = ast.NodeTypeNot{UnaryNode: ast.UnaryNode{Arg: n}}
	}
	return append(out, n)
}
