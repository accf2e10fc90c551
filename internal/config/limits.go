package config

import "github.com/lanyardhq/lanyard/internal/source"

// Limits bound what one address may take of the server before anybody is known. IPv6 addresses count by their /64.
type Limits struct {
	Connections int // open at the same time from one address that is not this machine's; 0: no bound
	SignIns     int // begun within a minute from one address, this machine's own apart; 0: no bound
}

// Many people share an address: an office behind one, or all of them behind a proxy in front of Lanyard.
const (
	defaultConnections = 2000
	defaultSignIns     = 300
)

func (p *parser) limits(m source.Mapping) {
	e, ok := m.Find("limits")
	if !ok {
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	inner.Keys([]string{
		"connections_per_address", "sign_ins_per_address", "running", "memory", "running_per_user", "running_per_project", "workspaces_per_user",
		"disk_reserve",
	}, nil)
	l, rules := &p.config.Limits, &p.config.Rules
	if e, ok := inner.Find("memory"); ok {
		rules.Memory = size(e.Value, minMemory)
	}
	if e, ok := inner.Find("disk_reserve"); ok {
		rules.Reserve = size(e.Value, minMemory)
	}
	for key, to := range map[string]*int{
		"connections_per_address": &l.Connections, "sign_ins_per_address": &l.SignIns,
		"running": &rules.Running, "running_per_user": &rules.RunningPerUser, "running_per_project": &rules.RunningPerProject,
		"workspaces_per_user": &rules.PerUser,
	} {
		e, ok := inner.Find(key)
		if !ok {
			continue
		}
		n, ok := e.Value.Number()
		if ok && (n < 0 || n > 1e9 || n != float64(int(n))) {
			e.Value.Report("this is a whole number; 0 is no bound")
			continue
		}
		*to = int(n)
	}
}
