package projects

import (
	"fmt"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

// Ending somebody's sign-ins at the tenant closes what they have open, says why, and their next sign-in works at once.
func TestSignInsEndedAtTheTenant(t *testing.T) {
	t.Parallel()
	w := harness.Start(t)
	tenant := w.Tenant()
	ws := w.Workspace("ada", payments)
	term := w.Terminal("ada", ws)
	w.Eventually("the sign-in is older than the second in which it was made: the tenant tells no less", func() bool {
		list, err := w.Operator.SignIns(w.Context(), "ada")
		return err == nil && len(list) > 0 && time.Since(list[0].At) > 2*time.Second
	})
	tenant.EndSignIns(tenant.User("ada"))
	closes(t, term, "ended at the tenant")
	w.Eventually("the sign-in ended with a reason", func() bool {
		if !logged(w, "signin:end", "were ended at the tenant") {
			return false
		}
		list, err := w.Operator.SignIns(w.Context(), "ada")
		return err == nil && len(list) > 0 && contains(list[0].EndedWhy, "were ended at the tenant")
	})
	if _, err := w.As("ada").Projects(w.Context()); err == nil {
		t.Error("the old session still answers")
	}
	again := w.SignIn("ada")
	if me, err := again.Me(w.Context()); err != nil || len(me.Projects) == 0 {
		t.Errorf("the next sign-in: %+v, %v", me, err)
	}
	w.Is("ada", again)
	w.Must("ada", ws, "true") // the workspace is hers again
}

// Where Lanyard may not read the tenant, tokens say who is in which group, and say it again at every sweep.
func TestMembershipsFromSignIns(t *testing.T) {
	t.Parallel()
	w := harness.StartOn(t, func(string) {}, "--members", "sign-in")
	tenant := w.Tenant()
	linus, ada := tenant.User("linus"), tenant.User("ada")
	var many []string
	for n := range 205 { // more than a token holds
		many = append(many, tenant.CreateGroup(fmt.Sprintf("many-%03d", n)))
	}
	for i, g := range many {
		member := linus
		if i > 0 && i%5 != 0 { // chains of five
			member = many[i-1]
		}
		tenant.Add(g, member)
	}
	for user, role := range map[string]string{"ada": "developer", "barbara": "developer", "linus": "viewer"} {
		me, err := w.As(user).Me(w.Context())
		if err != nil || len(me.Projects) == 0 || me.Projects[0].Name != "payments" || me.Projects[0].Role != role {
			t.Errorf("%s: %+v, %v", user, me.Projects, err)
		}
		if user == "linus" && len(me.Groups) < len(many) {
			t.Errorf("%d groups with overage", len(me.Groups))
		}
	}
	ws := w.Workspace("ada", payments)
	term := w.Terminal("ada", ws)
	tenant.Remove(tenant.Group("payments-engineers"), ada)
	closes(t, term, "you are no longer in the group")
	tenant.Enable(linus, false)
	w.Eventually("who is disabled is signed out at the next sweep", func() bool { return logged(w, "signin:end", "the account is disabled") })
	if _, err := w.As("linus").Me(w.Context()); err == nil {
		t.Error("the session of a disabled person still answers")
	}
}
