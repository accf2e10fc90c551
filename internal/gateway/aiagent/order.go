package aiagent

import (
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// planned is what an order comes to, with what the project's file declares for the AI agent.
type planned struct {
	order  agentapi.AgentOrder
	lines  []string
	wanted time.Duration
	shared bool
}

// plan reads an order. Whether the person may give what it names is asked later.
func plan(in project.Project, o agentapi.AgentOrder) (p planned, err error) {
	p = planned{order: o, lines: o.Allow, wanted: grant.DefaultFor}
	if !grant.ValidAgent(o.Name) {
		return p, problem.New(problem.Invalid, "An AI agent's name is made of a-z, 0-9 and -, begins with a letter and has at most 41 characters: --as NAME.")
	}
	if len(o.Exec.Argv) == 0 {
		return p, problem.New(problem.Invalid, "Say which command the AI agent is: lanyard agent run --as %s -- COMMAND.", o.Name)
	}
	declared := project.AgentTemplate{}
	if i := slices.IndexFunc(in.Agents, func(t project.AgentTemplate) bool { return t.Name == o.Name }); i >= 0 {
		declared = in.Agents[i]
	}
	if declared.For != 0 {
		p.wanted = declared.For
	}
	if o.For != "" {
		if p.wanted, err = time.ParseDuration(o.For); err != nil {
			return p, problem.New(problem.Invalid, "%q is no length of time: write 30m or 2h.", o.For)
		}
	}
	switch o.Checkout {
	case "":
		p.shared = declared.Shared
	case agentapi.CheckoutShared:
		p.shared = true
	case agentapi.CheckoutCopy:
	default:
		return p, problem.New(problem.Invalid, "An AI agent's checkout is copy or shared, not %q.", o.Checkout)
	}
	if len(p.lines) == 0 {
		for _, line := range declared.Allow {
			p.lines = append(p.lines, line.String())
		}
	}
	if len(p.lines) == 0 {
		return p, problem.New(problem.Invalid, "Say what the AI agent may do, for example --allow repo:read; the project declares none of the name %s.", o.Name)
	}
	return p, nil
}

func (p planned) checkout() string {
	if p.shared {
		return agentapi.CheckoutShared
	}
	return agentapi.CheckoutCopy
}
