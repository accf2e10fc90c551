package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func className() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`) }

// Bounds of what a class may say: less does not start, more is a slip of the pen.
const (
	minMemory    = 64 << 20
	maxSize      = 1 << 50
	minProcesses = 32
	maxProcesses = 1 << 22
	maxCPUs      = 4096
)

// classes reads the sizes of workspaces.
func (p *parser) classes(m source.Mapping) {
	e, ok := m.Find("classes")
	if !ok {
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	if len(inner.Entries) == 0 {
		e.Value.Report("names no class; leave `classes` out for the standard one")
		return
	}
	standard := -1
	for _, one := range inner.Entries {
		c, first, ok := readClass(one)
		if !ok {
			continue
		}
		if first && standard >= 0 {
			one.At.Report("two classes are the default one: %s and %s", p.config.Classes[standard].Name, c.Name)
		} else if first {
			standard = len(p.config.Classes)
		}
		p.config.Classes = append(p.config.Classes, c)
	}
	if standard > 0 { // the default comes first
		c := p.config.Classes[standard]
		p.config.Classes = slices.Insert(slices.Delete(p.config.Classes, standard, standard+1), 0, c)
	}
}

func readClass(e source.Entry) (c workspace.Class, first, ok bool) {
	c.Name = e.Key
	if !className().MatchString(e.Key) {
		e.At.Report("%q cannot be a class's name; use a lower-case letter, then letters, digits and dashes, at most 41", e.Key)
	}
	m, ok := e.Value.Mapping()
	if !ok {
		return c, false, false
	}
	m.Keys([]string{"title", "cpu", "memory", "disk", "processes", "default"}, nil)
	if t, found := m.Find("title"); found {
		c.Title, _ = t.Value.Text()
	}
	if n, found := m.Find("cpu"); found {
		if c.CPUs, ok = n.Value.Number(); ok && (c.CPUs < 0.1 || c.CPUs > maxCPUs) {
			n.Value.Report("a class has between 0.1 and %d processors", maxCPUs)
		}
	}
	if n, found := m.Find("memory"); found {
		c.Memory = size(n.Value, minMemory)
	}
	if n, found := m.Find("disk"); found {
		c.Disk = size(n.Value, minMemory)
	}
	if n, found := m.Find("processes"); found {
		c.Processes = int64(whole(n.Value, minProcesses, maxProcesses))
	}
	if n, found := m.Find("default"); found {
		first, _ = n.Value.Bool()
	}
	return c, first, true
}

// workspaces reads how long workspaces go on and are kept.
func (p *parser) workspaces(m source.Mapping) {
	e, ok := m.Find("workspaces")
	if !ok {
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	r := &p.config.Rules
	keys := map[string]*time.Duration{
		"max_timeout": &r.MaxTimeout, "max_life": &r.MaxLife, "warn_before": &r.WarnBefore,
		"archive_after": &r.ArchiveAfter, "delete_after": &r.DeleteAfter, "delete_unsaved_after": &r.DeleteUnsavedAfter,
	}
	inner.Keys([]string{"max_timeout", "max_life", "warn_before", "archive_after", "delete_after", "delete_unsaved_after"}, nil)
	durations(inner, keys)
	switch {
	case r.MaxLife > 0 && r.MaxLife < time.Minute:
		inner.Report("max_life is at least 1m")
	case r.DeleteAfter > 0 && r.ArchiveAfter > r.DeleteAfter:
		inner.Report("archive_after (%s) is longer than delete_after (%s): what is deleted is not archived", r.ArchiveAfter, r.DeleteAfter)
	case r.DeleteUnsavedAfter > 0 && (r.DeleteAfter == 0 || r.DeleteUnsavedAfter < r.DeleteAfter):
		inner.Report("delete_unsaved_after is for workspaces that hold what is not pushed, and takes a delete_after that is not longer")
	}
}

// whole reads a whole number.
func whole(v source.Value, least, most int) int {
	n, ok := v.Number()
	if ok && (n < float64(least) || n > float64(most) || n != float64(int(n))) {
		v.Report("this is a whole number between %d and %d", least, most)
		return 0
	}
	return int(n)
}

// size reads a number of bytes such as 512MiB, 8GiB or 1TiB.
func size(v source.Value, least int64) int64 {
	text, ok := v.Text()
	if !ok {
		return 0
	}
	number, unit := text, int64(0)
	for suffix, bytes := range map[string]int64{"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40} {
		if n, found := strings.CutSuffix(text, suffix); found {
			number, unit = strings.TrimSpace(n), bytes
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	bytes := n * float64(unit)
	if err != nil || unit == 0 || !(bytes >= float64(least) && bytes <= maxSize) {
		v.Report("%q is not a size; write a number and a unit, such as 512MiB, 8GiB or 1TiB, of at least %dMiB", text, least>>20)
		return 0
	}
	return int64(bytes)
}
