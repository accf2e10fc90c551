package config

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/prebuild"
	"github.com/lanyardhq/lanyard/internal/source"
)

// Bounds of what may be said of prebuilds.
const (
	maxPrebuildsAtOnce = 64
	minPrebuildSize    = 1 << 20
	maxPerBranch       = 50
	leastPace          = time.Second
)

// prebuilds reads how many prebuilds are made at once, how long that may take, and how many are kept.
func (p *parser) prebuilds(m source.Mapping) {
	e, ok := m.Find("prebuilds")
	if !ok {
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	inner.Keys([]string{"at_once", "timeout", "size", "total", "per_branch", "keep", "poll", "every", "yields"}, map[string]string{"retention": "write `keep`", "parallel": "write `at_once`"})
	p.config.Prebuilds = prebuild.Limits{}
	l := &p.config.Prebuilds
	for key, to := range map[string]struct {
		n    *int
		most int
	}{"at_once": {&l.AtOnce, maxPrebuildsAtOnce}, "per_branch": {&l.PerBranch, maxPerBranch}} {
		if one, found := inner.Find(key); found {
			*to.n = whole(one.Value, 1, to.most)
		}
	}
	for key, to := range map[string]*int64{"size": &l.Size, "total": &l.Total} {
		if one, found := inner.Find(key); found {
			*to = size(one.Value, minPrebuildSize)
		}
	}
	paces := map[string]*time.Duration{"timeout": &l.Timeout, "keep": &l.Keep, "poll": &l.Poll, "every": &l.Every, "yields": &l.Yields}
	durations(inner, paces)
	for key, to := range paces {
		if one, found := inner.Find(key); found && *to < leastPace && *to != 0 {
			one.Value.Report("`%s` is at least %s", key, leastPace)
		}
	}
}
