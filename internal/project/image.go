package project

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/source"
)

var imageReference = shape(`^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$`)

// readImages reads which image a project's workspaces have where the repository names none, and which ones a repository
// may name.
func readImages(m source.Mapping, t *Template) {
	if e, ok := m.Find("image"); ok {
		if s, ok := e.Value.Text(); ok && !imageReference().MatchString(s) {
			e.Value.Report("%q is no name of an image, such as registry.example.com/team/tools:1.4", s)
		} else if ok {
			t.Image = s
		}
	}
	e, ok := m.Find("images")
	if !ok {
		return
	}
	t.Images = []string{}
	items, _ := e.Value.List()
	for _, v := range items {
		s, ok := v.Text()
		switch {
		case !ok:
		case !imageReference().MatchString(strings.TrimSuffix(s, "/*")) || strings.Contains(strings.TrimSuffix(s, "/*"), "*"):
			v.Report("%q is neither an image (registry.example.com/team/tools) nor all of a registry or folder (registry.example.com/team/*)", s)
		default:
			t.Images = append(t.Images, s)
		}
	}
}

// AllowsImage says whether a repository of the project may name an image: where the project lists images, those alone. A
// listed name without a tag or digest stands for all of its.
func (t Template) AllowsImage(ref string) error {
	if t.Images == nil || ref == t.Image {
		return nil
	}
	if slices.ContainsFunc(t.Images, func(allowed string) bool { return imageMatches(allowed, ref) }) {
		return nil
	}
	return fmt.Errorf("repositories may not run the image %s; they may run %s", ref, strings.Join(t.Images, ", "))
}

func imageMatches(allowed, ref string) bool {
	if folder, ok := strings.CutSuffix(allowed, "/*"); ok {
		return strings.HasPrefix(ref, folder+"/") && !strings.Contains(ref, "..")
	}
	if ref == allowed {
		return true
	}
	rest, ok := strings.CutPrefix(ref, allowed)
	return ok && (rest[0] == ':' && !strings.Contains(rest, "/") || rest[0] == '@') && !strings.ContainsAny(allowed[strings.LastIndex(allowed, "/")+1:], ":@")
}
