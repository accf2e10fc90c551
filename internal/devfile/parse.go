package devfile

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/lanyardhq/lanyard/internal/source"
)

// About is what a file cannot know of the workspace that it describes.
type About struct {
	// Checkout is the folder of the repository in the workspace, /workspace/<name>: ${containerWorkspaceFolder} and, since
	// a workspace has no other side, ${localWorkspaceFolder}.
	Checkout string
	// ID is what ${devcontainerId} stands for: the same at every start of a workspace.
	ID string
}

// Parse reads the file of a repository, whose path in it says which format it is. What is wrong is a source.Findings with
// line and column; what is read and has no effect is among the plan's Notes.
func Parse(file string, content []byte, about About) (*Plan, error) {
	p, v := parse(file, content, about)
	if err := v.Findings.Err(); err != nil {
		return nil, err
	}
	p.File, p.Notes = file, v.Notes
	return p, nil
}

func parse(file string, content []byte, about About) (p *Plan, v Verdict) {
	r := &reader{file: file}
	if content, ok := r.begin(content); ok {
		if IsGitpod(file) {
			p = r.gitpod(content, about)
		} else {
			p = r.devcontainer(content, about)
		}
	}
	r.findings.Sort()
	return p, Verdict{Findings: r.findings, Notes: r.notes}
}

// Verdict is what somebody who writes such a file wants to know of it.
type Verdict struct {
	Findings source.Findings // what is wrong: a workspace would not start
	Notes    []Note          // what has no effect, or another one
}

// Validate reads a file as Parse does, for who writes it.
func Validate(file string, content []byte) Verdict {
	_, v := parse(file, content, About{Checkout: "/workspace/repository", ID: "0"})
	return v
}

func (r *reader) err() error {
	r.findings.Sort()
	return r.findings.Err()
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// env reads variables.
func (r *reader) env(key string, n node) map[string]string {
	entries := r.object(key, n)
	if len(entries) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, e := range entries {
		switch {
		case !envName.MatchString(e.key):
			r.report(e.at, "`%s`: %q is no name of a variable", key, e.key)
		case strings.ContainsRune(e.value.text, 0):
			r.report(e.value.at, "`%s`: the value of %s holds a zero byte", key, e.key)
		default:
			out[e.key] = r.words(key+"."+e.key, e.value)
		}
	}
	return out
}

var imageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,511}$`)

// imageRef reads an image's name.
func (r *reader) imageRef(key string, n node) string {
	s := strings.TrimSpace(r.text(key, n))
	if s != "" && !imageName.MatchString(s) {
		r.report(n.at, "`%s`: %q is no name of an image, such as registry.example.com/team/tools:1.4", key, s)
		return ""
	}
	return s
}

// inside reads a path of the repository that is written as seen from folder, and returns it as seen from the root, "" for
// the root itself.
func (r *reader) inside(key, folder string, n node) string {
	s := r.text(key, n)
	if s == "" && n.kind != text {
		return ""
	}
	p := path.Join(folder, s)
	if path.IsAbs(s) || p == ".." || strings.HasPrefix(p, "../") || !plain(s) {
		r.report(n.at, "`%s`: %q is not in the repository", key, s)
		return ""
	}
	if p == "." {
		return ""
	}
	return p
}

// below reads a folder below /workspace, written as seen from there.
func (r *reader) below(key string, n node) string {
	s := r.text(key, n)
	p := path.Clean(strings.TrimPrefix(s, "/workspace/"))
	if s == "" {
		return ""
	}
	if path.IsAbs(p) || p == "." || p == ".." || strings.HasPrefix(p, "../") || strings.HasPrefix(p, ".") || !plain(p) {
		r.report(n.at, "`%s`: %q is no folder below /workspace", key, s)
		return ""
	}
	return p
}

// plain reports whether s is a path that prints, and that no tool reads as something else.
func plain(s string) bool {
	return len(s) <= 1024 && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) || c == '\\' })
}

// known is what keys a table has.
func known[V any](table map[string]V) []string { return slices.Sorted(maps.Keys(table)) }
