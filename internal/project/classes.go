package project

import (
	"slices"

	"github.com/lanyardhq/lanyard/internal/source"
)

// readClasses reads which classes of workspaces a project has. Whether the installation offers them is known where a
// workspace is made of one.
func readClasses(m source.Mapping, t *Template) {
	if e, ok := m.Find("classes"); ok {
		for _, l := range e.Value.Texts() {
			if !resourceName().MatchString(l.Text) {
				e.Value.Report("%q cannot be a class's name; they are the keys of `classes` in lanyard.yaml", l.Text)
				continue
			}
			t.Classes = append(t.Classes, l.Text)
		}
		if len(t.Classes) == 0 {
			e.Value.Report("names no class; leave `classes` out to allow all of them")
		}
	}
	e, ok := m.Find("class")
	if !ok {
		return
	}
	text, ok := e.Value.Text()
	if ok && !resourceName().MatchString(text) {
		e.Value.Report("%q cannot be a class's name; they are the keys of `classes` in lanyard.yaml", text)
		return
	}
	if ok && len(t.Classes) > 0 && !slices.Contains(t.Classes, text) {
		e.Value.Report("the class %s is not among the project's `classes`", text)
	}
	t.Class = text
}

// MayHave reports whether workspaces of the project may be of a class.
func (t Template) MayHave(class string) bool {
	return len(t.Classes) == 0 || slices.Contains(t.Classes, class) || class == t.Class
}
