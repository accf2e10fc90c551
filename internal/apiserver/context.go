package apiserver

import (
	"maps"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// contextOf shows what a context URL would start.
func (s *server) contextOf(t target) api.Context {
	x := api.Context{Project: t.project.Name, Repository: t.repository, Ref: t.ref, Request: t.context.Request, Variables: t.context.Variables}
	if s.c.Classes != nil {
		for i, c := range s.c.Classes(t.project.ID) {
			x.Classes = append(x.Classes, api.Class{Name: c.Name, Title: c.Title, Default: i == 0, Limits: limitsOf(c.Limits)})
		}
	}
	return x
}

// maxWanted bounds the name of a file.
const maxWanted = 512

// details is what an order says of a workspace beside its repository. A link's variables take a confirmation, since a
// stranger may have written it.
func (s *server) details(o api.Order, t target) (d workspace.Details, err error) {
	if len(t.context.Variables) > 0 && !o.Confirmed {
		names := slices.Sorted(maps.Keys(t.context.Variables))
		return d, problem.New(problem.Conflict, "This context URL sets variables in the workspace: %s. Look at them; if you want them, start it with `confirmed`.", strings.Join(names, ", "))
	}
	if len(o.File) > maxWanted {
		return d, problem.New(problem.Invalid, "The name of a file has at most %d bytes.", maxWanted)
	}
	if s.c.Classes != nil && o.Class != "" {
		if _, err := workspace.Classes(s.c.Classes(t.project.ID)).Find(o.Class); err != nil {
			return d, err
		}
	}
	return workspace.Details{
		Class: o.Class, Wanted: o.File, Context: t.context.URL, Variables: t.context.Variables, Request: t.context.Request,
	}, nil
}
