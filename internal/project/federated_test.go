package project

import (
	"strings"
	"testing"
)

// A project does not get what a cloud gives to the people of another one by declaring the same audience (SECURITY row 34).
func TestAttack34ACloudsAudienceInTwoProjects(t *testing.T) {
	file := func(name, resource string) string {
		return "project: " + name + "\nresources:\n  - " + resource + "\n"
	}
	parse := func(payments, playground string) string {
		_, err := Parse(Input{Tenant: tenant, Revision: Revision{Projects: map[string]string{
			"payments.yaml": file("payments", payments), "playground.yaml": file("playground", playground),
		}}})
		if err == nil {
			return ""
		}
		return err.Error()
	}
	const (
		user    = "kind: federation, aud: sts.amazonaws.com}"
		project = "kind: federation, aud: sts.amazonaws.com, subject: project}"
		service = "aud: sts.amazonaws.com}"
		other   = "kind: federation, aud: sts.example.test}"
	)
	for name, c := range map[string]struct {
		a, b  string
		wrong bool
	}{
		"both of people":      {user, user, true},
		"the first of people": {user, project, true},
		"the other of people": {project, user, true},
		"both of projects":    {project, project, false},
		"one for a service":   {user, service, false},
		"different ones":      {user, other, false},
	} {
		said := parse("{audience: aws, "+c.a, "{audience: sandbox, "+c.b)
		if (said != "") != c.wrong {
			t.Errorf("%s: %q", name, said)
		}
		if c.wrong && (!strings.Contains(said, "playground.yaml:3") || !strings.Contains(said, "payments.yaml:3") || !strings.Contains(said, "subject: project")) {
			t.Errorf("%s: %q does not say where, or what to do", name, said)
		}
	}
}
