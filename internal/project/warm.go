package project

import (
	"cmp"

	"github.com/lanyardhq/lanyard/internal/source"
)

// Warm says how many workspaces of a class are made ahead on each machine, from the image that the project's workspaces have
// where their repository names none, or another one that its repositories name.
type Warm struct {
	Class string // empty: the project's
	Image string // empty: the project's, or the runtime's own
	Count int
}

const (
	// MaxWarm bounds how many of one class and image there may be, MaxWarmAll how many a project may have of all together.
	MaxWarm    = 20
	MaxWarmAll = 50
)

// readWarm reads `warm`. Whether the installation has the classes, and room, is known where they are made.
func readWarm(m source.Mapping, t *Template) {
	e, ok := m.Find("warm")
	if !ok {
		return
	}
	items, _ := e.Value.List()
	seen, sum := map[Warm]bool{}, 0
	for _, v := range items {
		one, ok := v.Mapping()
		if !ok {
			continue
		}
		one.Keys([]string{"class", "count", "image"}, nil)
		w := Warm{Class: warmClass(one, t), Image: warmImage(one, t), Count: warmCount(one)}
		same := Warm{Class: cmp.Or(w.Class, t.Class), Image: cmp.Or(w.Image, t.Image)}
		if seen[same] {
			v.Report("the same class and image stand here twice; write one entry with the sum as its `count`")
		}
		seen[same] = true
		if before := sum; w.Count > 0 {
			if sum += w.Count; before <= MaxWarmAll && sum > MaxWarmAll {
				v.Report("a project has at most %d workspaces made ahead of all classes and images together, and these are more; lower a `count`", MaxWarmAll)
			}
		}
		t.Warm = append(t.Warm, w)
	}
}

func warmClass(one source.Mapping, t *Template) string {
	e, ok := one.Find("class")
	if !ok {
		return ""
	}
	s, ok := e.Value.Text()
	switch {
	case !ok:
	case !resourceName().MatchString(s):
		e.Value.Report("%q cannot be a class's name; they are the keys of `classes` in lanyard.yaml", s)
	case !t.MayHave(s):
		e.Value.Report("the class %s is not among the project's `classes`; add it there, or name one of those", s)
	default:
		return s
	}
	return ""
}

func warmImage(one source.Mapping, t *Template) string {
	e, ok := one.Find("image")
	if !ok {
		return ""
	}
	s, ok := e.Value.Text()
	switch {
	case !ok:
	case !imageReference().MatchString(s):
		e.Value.Report("%q is no name of an image, such as registry.example.com/team/tools:1.4", s)
	default:
		if err := t.AllowsImage(s); err != nil {
			e.Value.Report("%v; add it to `images`, or leave it out here", err)
			return ""
		}
		return s
	}
	return ""
}

// warmCount is 0 where what is said is no count; it is reported then.
func warmCount(one source.Mapping) int {
	e, ok := one.Find("count")
	if !ok {
		one.Report("`count` is missing: how many workspaces are kept ready, 1 to %d", MaxWarm)
		return 0
	}
	n, ok := e.Value.Number()
	if !ok {
		return 0
	}
	if n < 1 || n > MaxWarm || n != float64(int(n)) {
		e.Value.Report("write a whole number from 1 to %d; where none are wanted leave the entry out", MaxWarm)
		return 0
	}
	return int(n)
}
