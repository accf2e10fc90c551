package gitproxy

import (
	"fmt"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// judge decides on each ref of a push before anything of it is forwarded. One judge serves one push.
type judge struct {
	ask     func(identity.Action) error
	would   func(identity.Action) bool // what ask would answer, unrecorded
	repo    project.Repository
	answers map[identity.Action]error // what was asked, once
	refused map[string]string         // ref to why not
	unsure  []update                  // allowed when they move their ref forward
}

func (x *exchange) judge(lease *access.Lease) *judge {
	return &judge{
		would: func(a identity.Action) bool {
			request := lease.Request
			request.Action, request.Stands = a, nil
			return x.c.Access.Explain(x.r.Context(), request).Effect == access.Allow
		},
		ask:  func(a identity.Action) error { return lease.Ask(a, x.resource) },
		repo: x.repo, answers: map[identity.Action]error{identity.RepoWrite: nil}, refused: map[string]string{},
	}
}

func (j *judge) updates(all []update) {
	for _, u := range all {
		rule, by := j.repo.RefRule(u.Name)
		tag := strings.HasPrefix(u.Name, "refs/tags/")
		action := identity.RepoWrite
		if tag {
			action = identity.RepoTag
		}
		var err error
		switch {
		case u.creates():
			err = j.may(action, rule.Create, "create", by)
		case u.deletes():
			err = j.may(identity.RepoDelete, rule.Delete, "delete", by)
		default:
			if err = j.may(action, rule.Push, "push", by); err != nil {
				break
			}
			if !tag && !j.could(identity.RepoForce, rule.Force) {
				j.unsure = append(j.unsure, u)
				continue
			}
			err = j.may(identity.RepoForce, rule.Force, "force", by)
		}
		j.refuse(u, err)
	}
}

func (j *judge) refuse(u update, err error) {
	if err != nil {
		j.refused[u.Name] = gateway.Printable(problem.Message(err))
	}
}

// settle decides on what was unsure, knowing which updates move their ref forward.
func (j *judge) settle(forward map[update]bool) {
	for _, u := range j.unsure {
		if forward[u] {
			continue
		}
		rule, by := j.repo.RefRule(u.Name)
		why := j.may(identity.RepoForce, rule.Force, "force", by)
		j.refuse(u, problem.New(problem.Denied,
			"This would move the ref away from commits that it holds, as far as can be seen. %s Fetch, and merge or rebase.", problem.Message(why)))
	}
}

// may asks for an action, and for what a rule demands besides.
func (j *judge) may(action identity.Action, who project.Who, verb string, by project.RefPattern) error {
	if who == project.Nobody {
		return problem.New(problem.Denied, "Not allowed: by the project's rules for %s nobody may %s it.", by, verb)
	}
	if err := j.answer(action); err != nil {
		return err
	}
	if who == project.Maintainers {
		if err := j.answer(identity.RepoMaintain); err != nil {
			return problem.Wrap(err, problem.Denied, "By the project's rules for %s only maintainers may %s it. %s", by, verb, problem.Message(err))
		}
	}
	return nil
}

// could is may without words and without a denial in the audit log: nobody has tried yet.
func (j *judge) could(action identity.Action, who project.Who) bool {
	return who != project.Nobody && j.would(action) && (who != project.Maintainers || j.would(identity.RepoMaintain))
}

func (j *judge) answer(action identity.Action) error {
	err, asked := j.answers[action]
	if !asked {
		err = j.ask(action)
		j.answers[action] = err
	}
	return err
}

// again asks anew for all that allowed the push: it is taken when its last byte has been forwarded, which may be long
// after it was judged.
func (j *judge) again() error {
	for action, before := range j.answers {
		if before != nil || action == identity.RepoWrite { // repo:write is the lease's own
			continue
		}
		if err := j.ask(action); err != nil {
			return err
		}
	}
	return nil
}

// reason is what is said of each ref of a push of which one was refused. Nothing of it is forwarded: a pack is for all of
// its refs, and what is refused must not come to the upstream by another ref, nor lie there to be fetched by its ID.
func (j *judge) reason(u update) string {
	if why, ok := j.refused[u.Name]; ok {
		return why
	}
	return fmt.Sprintf("Not pushed, since another ref of this push was refused; push %s alone.", u.Name)
}

// first is what is told of the first ref that was refused.
func (j *judge) first(wanted commands) string {
	for _, u := range wanted.updates {
		if why, ok := j.refused[u.Name]; ok {
			return u.Name + ": " + why
		}
	}
	return ""
}

func (u update) creates() bool { return zero(u.Old) }
func (u update) deletes() bool { return zero(u.New) }

func zero(id string) bool { return strings.Trim(id, "0") == "" }
