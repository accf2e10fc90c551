package setting

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Bounds of what one person or one project sets. All of it together fits into a process's environment several times.
const (
	MaxValue  = 32 << 10 // bytes of a value
	MaxAll    = 64 << 10 // bytes of all names and values of one person, or of one project
	MaxNumber = 100      // variables of one person, or of one project
)

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// reserved begin the names that Lanyard gives to every workspace itself.
var reserved = []string{"GITPOD_", "LANYARD_"}

// CheckName refuses what cannot be the name of a variable, and what is Lanyard's.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return problem.New(problem.Invalid, "%q cannot name an environment variable: letters, digits and _, at most 128, not beginning with a digit.", shortened(name))
	}
	for _, prefix := range reserved {
		if strings.HasPrefix(strings.ToUpper(name), prefix) {
			return problem.New(problem.Invalid, "%s cannot be set: names that begin with GITPOD_ and LANYARD_ are Lanyard's own.", name)
		}
	}
	return nil
}

// CheckValue refuses what an environment cannot hold.
func CheckValue(name, value string) error {
	switch {
	case len(value) > MaxValue:
		return problem.New(problem.TooLarge, "The value of %s has %d bytes; at most %d are kept. Put what is larger into a file of the repository.", name, len(value), MaxValue)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return problem.New(problem.Invalid, "The value of %s is not text: an environment variable holds UTF-8 without zero bytes. Encode it (base64, say).", name)
	}
	return nil
}

func shortened(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

// Set adds a variable, or replaces the one of its scope and name.
func (s *Settings) Set(ctx context.Context, v Variable) error {
	if err := CheckName(v.Name); err != nil {
		return err
	}
	if err := CheckValue(v.Name, v.Value); err != nil {
		return err
	}
	rows, err := s.c.Rows.Variables(ctx, v.User, v.Project)
	if err != nil {
		return err
	}
	number, all := 1, len(v.Name)+len(v.Value)
	for _, r := range rows {
		if r.Scope == v.Scope && r.Name == v.Name {
			continue
		}
		number++
		all += len(r.Name) + max(len(r.Value), len(r.Sealed))
	}
	whose := "You have"
	if v.Project != "" {
		whose = "The project has"
	}
	if number > MaxNumber {
		return problem.New(problem.TooLarge, "%s %d variables already, which is the most that is kept. Remove one first: lanyard env unset NAME", whose, MaxNumber)
	}
	if all > MaxAll {
		return problem.New(problem.TooLarge, "%s variables of %d bytes with this one; at most %d are kept. Remove one first: lanyard env unset NAME", whose, all, MaxAll)
	}
	v.Changed = s.c.Now()
	row := Row{Variable: v}
	if v.Secret {
		row.Sealed, row.Value = s.c.Sealer.Seal(SealedAs(v.Scope, v.Name), []byte(v.Value)), ""
	}
	return s.c.Rows.PutVariable(ctx, row)
}

// Unset removes a variable. One that is not there is a problem.NotFound.
func (s *Settings) Unset(ctx context.Context, at Scope, name string) error {
	found, err := s.c.Rows.DropVariable(ctx, at, name)
	if err == nil && !found {
		return problem.New(problem.NotFound, "There is no variable %q to remove there. `lanyard env list` shows what is set, and for what.", shortened(name))
	}
	return err
}

// List lists the variables of a person, or of a project, as the scope says; its repository is not looked at.
func (s *Settings) List(ctx context.Context, of Scope) ([]Variable, error) {
	rows, err := s.c.Rows.Variables(ctx, of.User, of.Project)
	if err != nil {
		return nil, err
	}
	list := make([]Variable, 0, len(rows))
	for _, r := range rows {
		list = append(list, r.Variable)
	}
	return list, nil
}

// Query names a workspace. Secrets says that secret values are given to it.
type Query struct {
	Scope   // User and Project are both set
	Secrets bool
}

// Resolved is what a workspace's environment gets.
type Resolved struct {
	Env      map[string]string
	Variable map[string]Variable // what each name of Env came from
	Withheld []Variable          // secret ones that were not given; what they would have replaced is not given either
}

// Resolve says which variables a workspace gets. Of the same name the later wins: the project's, the project's for this
// repository, the person's, the person's for this repository.
func (s *Settings) Resolve(ctx context.Context, q Query) (Resolved, error) {
	out := Resolved{Env: map[string]string{}, Variable: map[string]Variable{}}
	best := map[string]Row{}
	var order []string
	for _, of := range []Scope{{Project: q.Project}, {User: q.User}} {
		rows, err := s.c.Rows.Variables(ctx, of.User, of.Project)
		if err != nil {
			return out, err
		}
		for _, narrow := range []bool{false, true} {
			for _, r := range rows {
				if (r.Repository != "") != narrow || narrow && r.Repository != q.Repository {
					continue
				}
				if _, known := best[r.Name]; !known {
					order = append(order, r.Name)
				}
				best[r.Name] = r
			}
		}
	}
	for _, name := range order {
		r := best[name]
		if r.Secret && !q.Secrets {
			out.Withheld = append(out.Withheld, r.Variable)
			continue
		}
		if r.Secret {
			plain, err := s.c.Sealer.Open(SealedAs(r.Scope, r.Name), r.Sealed)
			if err != nil {
				return out, fmt.Errorf("open the variable %s: %w", r.Name, err)
			}
			out.Env[name], out.Variable[name] = string(plain), r.Variable // which has no value
			continue
		}
		out.Env[name], out.Variable[name] = r.Value, r.Variable
	}
	return out, nil
}
