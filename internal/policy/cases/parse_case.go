package cases

import (
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

func (p *parser) test(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"name", "user", "agent", "action", "resource", "context", "approved", "expect", "step_up", "approval", "policies"}, nil)
	line, _ := v.Place()
	c := Case{File: p.name, Line: line, Name: fmt.Sprintf("test %d", len(p.cases)+1), now: p.now}
	if e, ok := m.Find("name"); ok {
		c.Name, _ = e.Value.Text()
	}
	if e, ok := m.Need("user"); ok {
		for _, one := range oneOrMany(e.Value) {
			if who, ok := p.asker(one); ok {
				c.askers = append(c.askers, asker{one.Text, who})
			} else {
				p.reader.Findings = append(p.reader.Findings, one.Finding("there is no user %q under `users`%s; operator, service and anonymous are known without", one.Text, nearUser(one.Text, p.users)))
			}
		}
	}
	if e, ok := m.Find("agent"); ok {
		if name, ok := e.Value.Text(); ok {
			p.agent(e.Value, &c, name)
		}
	}
	if e, ok := m.Need("action"); ok {
		for _, one := range oneOrMany(e.Value) {
			c.actions = append(c.actions, identity.Action(one.Text))
		}
	}
	if e, ok := m.Need("resource"); ok {
		p.resource(e.Value, &c)
	}
	if e, ok := m.Find("context"); ok {
		p.context(e.Value, &c)
	}
	if e, ok := m.Find("approved"); ok {
		c.approved = map[identity.GroupID]time.Time{}
		for _, one := range oneOrMany(e.Value) {
			p.checkObject(e.Value, one.Text)
			c.approved[identity.GroupID{Tenant: p.tenant, Object: one.Text}] = c.now.Add(time.Hour)
		}
	}
	p.expect(m, &c)
	p.cases = append(p.cases, c)
}

func (p *parser) expect(m source.Mapping, c *Case) {
	if e, ok := m.Need("expect"); ok {
		c.expect, _ = choice(e.Value, Allow, Deny, StepUp, Request)
	}
	if e, ok := m.Find("step_up"); ok {
		if c.stepUp, _ = e.Value.Text(); c.expect != StepUp && c.expect != "" {
			e.At.Report("`step_up` says which context is asked for; it goes with `expect: step up`")
		}
	}
	if e, ok := m.Find("approval"); ok {
		if c.approval, _ = e.Value.Text(); c.expect != Request && c.expect != "" {
			e.At.Report("`approval` says which group is asked; it goes with `expect: request`")
		}
	}
	if e, ok := m.Find("policies"); ok {
		ids := []string{}
		for _, one := range e.Value.Texts() {
			ids = append(ids, one.Text)
		}
		c.policies = &ids
	}
}

// asker finds who asks: a user of the file, or one of the words for who is none.
func (p *parser) asker(l source.Located) (identity.Principal, bool) {
	if u, ok := p.users[l.Text]; ok {
		return identity.Principal{Kind: identity.Person, User: u.id, Session: "s-x"}, true
	}
	who, ok := others[l.Text]
	return who, ok
}

// agent makes all who ask AI agents of that name, acting for them.
func (p *parser) agent(v source.Value, c *Case, name string) {
	for i := range c.askers {
		who := &c.askers[i].principal
		if who.Kind != identity.Person {
			v.Report("an AI agent acts for a user, not for the %s", who.Kind)
			return
		}
		who.Kind, who.Agent = identity.AIAgent, name
	}
}
