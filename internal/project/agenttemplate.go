package project

import (
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// AgentTemplate is an AI agent as a project's file declares it: what it may be given, so that nobody has to spell it out.
type AgentTemplate struct {
	Name   string
	Allow  []AgentLine
	For    time.Duration // how long it may run; zero: as is asked for
	Shared bool          // it works on the workspace's own checkout, where a policy permits agent:share
}

// AgentLine is one line of what an AI agent is given.
type AgentLine struct {
	Action   string // repo:read
	Resource string // as at a command line; empty: everything of that kind in the project
}

// String is the line as it is written.
func (l AgentLine) String() string { return strings.TrimSpace(l.Action + " " + l.Resource) }

// maxAgentFor is as long as a delegation may last.
const maxAgentFor = 24 * time.Hour

func readAgents(v source.Value) (all []AgentTemplate) {
	list, _ := v.List()
	seen := map[string]bool{}
	for _, one := range list {
		m, ok := one.Mapping()
		if !ok {
			continue
		}
		m.Keys([]string{"agent", "allow", "for", "checkout"}, nil)
		var t AgentTemplate
		name, ok := m.Need("agent")
		if !ok {
			continue
		}
		if t.Name, ok = name.Value.Text(); ok && !resourceName().MatchString(t.Name) {
			name.Value.Report("%q cannot be an AI agent's name; use a lower-case letter, then letters, digits and dashes, at most 41", t.Name)
		} else if ok && seen[t.Name] {
			name.Value.Report("the AI agent %s is declared twice", t.Name)
		}
		seen[t.Name] = true
		if e, found := m.Need("allow"); found {
			given, _ := e.Value.List()
			for _, line := range given {
				text, isText := line.Text()
				if !isText {
					continue
				}
				action, resource, _ := strings.Cut(text, " ")
				if _, can := identity.Delegable(identity.Action(action)); !can {
					line.Report("%q cannot be given to an AI agent; write an action such as repo:read, or one and its resource: app:call ledger", action)
				}
				t.Allow = append(t.Allow, AgentLine{Action: action, Resource: strings.TrimSpace(resource)})
			}
		}
		if e, found := m.Find("for"); found {
			if d, isTime := e.Value.Duration(); isTime && (d < time.Minute || d > maxAgentFor) {
				e.Value.Report("an AI agent runs for between %s and %s", time.Minute, maxAgentFor)
			} else if isTime {
				t.For = d
			}
		}
		if e, found := m.Find("checkout"); found {
			switch s, isText := e.Value.Text(); {
			case isText && s == "shared":
				t.Shared = true
			case isText && s != "copy":
				e.Value.Report("an AI agent's checkout is copy, or shared")
			}
		}
		all = append(all, t)
	}
	return all
}
