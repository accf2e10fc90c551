package config

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/snapshot"
	"github.com/lanyardhq/lanyard/internal/source"
)

const (
	maxSnapshots    = 10000
	minSnapshotSize = 1 << 20
)

// snapshots reads how many snapshots of checkouts are kept, how large, and for how long.
func (p *parser) snapshots(m source.Mapping) {
	e, ok := m.Find("snapshots")
	if !ok {
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	inner.Keys([]string{"size", "per_user", "keep"}, nil)
	p.config.Snapshots = snapshot.Limits{}
	l := &p.config.Snapshots
	if one, found := inner.Find("size"); found {
		l.Size = size(one.Value, minSnapshotSize)
	}
	if one, found := inner.Find("per_user"); found {
		l.Count = whole(one.Value, 1, maxSnapshots)
	}
	durations(inner, map[string]*time.Duration{"keep": &l.Keep})
}
