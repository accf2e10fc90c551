package registration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Done is the registration after all was carried out.
type Done struct {
	Tenant   Tenant   `json:"tenant"`
	ClientID string   `json:"client_id"`
	Did      []Step   `json:"did"`
	Left     []Step   `json:"left"` // for somebody who may consent
	Notes    []string `json:"notes,omitempty"`
}

// Apply carries out what Plan says, and looks again until the tenant shows that nothing is left. did is told of each step
// that was done. When it is not known whether a change was made, the tenant is looked at again rather than asked twice.
func (s *Setup) Apply(ctx context.Context, did func(Step)) (Done, error) {
	done := Done{Did: []Step{}, Left: []Step{}}
	sent := map[[32]byte]time.Time{}
	refused := map[[32]byte]bool{}
	lost := 0
	for round := 1; ; round++ {
		p, err := s.Plan(ctx)
		if err != nil {
			return done, err
		}
		done.Tenant, done.ClientID, done.Notes = p.Tenant, p.ClientID, p.Notes
		waits, again := "", false
		done.Left = slices.DeleteFunc(slices.Clone(p.Steps), func(step Step) bool { return !refused[step.print()] })
		if len(done.Left) == len(p.Steps) {
			return done, nil
		}
		for _, step := range p.Steps {
			if refused[step.print()] {
				continue
			}
			if at, did := sent[step.print()]; did {
				if s.now().Sub(at) > s.patience {
					return done, problem.New(problem.Unavailable, "The tenant took it to %s, and does not show it after %v. Run this again later; what is done stays done.", step.Says, s.patience)
				}
				waits = step.What
				continue
			}
			err := s.do(ctx, step)
			var u *unknown
			switch {
			case errors.Is(err, errThere):
				again = true
			case errors.As(err, &u):
				if lost++; lost > tries {
					return done, explain(step, err)
				}
				again = true
			case err != nil && step.consent && statusOf(err) == http.StatusForbidden:
				refused[step.print()] = true
			case err != nil:
				return done, explain(step, err)
			default:
				sent[step.print()] = s.now()
				done.Did = append(done.Did, step)
				did(step)
			}
			if again {
				break
			}
		}
		if waits != "" {
			s.waiting("the " + waits)
		}
		if err := pause(ctx, s.graph.backoff(round)); err != nil {
			return done, err
		}
	}
}

// errThere says that what was to be made is there, and is to be looked up.
var errThere = errors.New("it is there already")

// do carries out one step. What refers to an object that was just made is tried again while the tenant does not know
// that object everywhere.
func (s *Setup) do(ctx context.Context, step Step) error {
	if step.local != nil {
		return step.local(ctx)
	}
	r := step.request
	path, err := s.filled(r.path)
	if err != nil {
		return err
	}
	body, err := json.Marshal(r.body)
	if err != nil {
		return fmt.Errorf("write a request: %w", err)
	}
	text, err := s.filled(string(body))
	if err != nil {
		return err
	}
	if r.makes != "" {
		if err := s.note(r.makes, made{Begun: s.now()}); err != nil {
			return err
		}
	}
	var in any
	if r.body != nil {
		in = json.RawMessage(text)
	}
	begun := s.now()
	for attempt := 1; ; attempt++ {
		var answer map[string]any
		err := s.graph.do(ctx, r.method, path, in, &answer)
		switch {
		case err == nil:
			return s.keep(r, answer)
		case there(err) && r.makes != "":
			if err := s.note(r.makes, made{Begun: s.now(), Exists: true}); err != nil {
				return err
			}
			return errThere
		case there(err):
			return nil // and will be seen
		case late(err) && s.young() && s.now().Sub(begun) < s.patience:
		default:
			return err
		}
		s.waiting("the tenant to know everywhere what was just made")
		if err := pause(ctx, s.graph.backoff(attempt)); err != nil {
			return err
		}
	}
}

// keep remembers what an answer says of a new object.
func (s *Setup) keep(r *request, answer map[string]any) error {
	for name, field := range r.keeps {
		value := fieldOf(answer, field)
		if value == "" {
			return fmt.Errorf("the answer of Microsoft Graph to %s %s has no %s", r.method, r.path, field)
		}
		s.values[name] = value
	}
	if r.makes == "" {
		return nil
	}
	return s.note(r.makes, made{Begun: s.now(), ID: s.values[r.makes]})
}

func fieldOf(answer map[string]any, path string) string {
	first, rest, deeper := strings.Cut(path, ".")
	if deeper {
		inner, _ := answer[first].(map[string]any)
		return fieldOf(inner, rest)
	}
	text, _ := answer[first].(string)
	return text
}

// there says that a change is refused because it was made before.
func there(err error) bool {
	var r *Refused
	if !errors.As(err, &r) {
		return false
	}
	text := strings.ToLower(r.Message)
	return r.Status == http.StatusConflict || r.Status == http.StatusBadRequest && (strings.Contains(text, "already exist") || strings.Contains(text, "already in use"))
}

// late says that a change is refused because it refers to something that is not there, which may be too new.
func late(err error) bool {
	status := statusOf(err)
	return status == http.StatusNotFound || status == http.StatusBadRequest
}

// explain says which step failed, and who may carry it out where the tenant did not let this one.
func explain(step Step, err error) error {
	if statusOf(err) == http.StatusForbidden {
		return problem.Wrap(err, problem.Denied, "The tenant does not let you %s: %v. Whoever runs this needs the role Cloud Application Administrator; to grant permissions at Microsoft Graph, Privileged Role Administrator. What is done stays done.", step.Says, err)
	}
	return fmt.Errorf("%s: %w", step.Says, err)
}

// ConsentURL is where somebody who may consent does so for what was left.
func ConsentURL(authority, tenant, clientID string) string {
	return authority + "/" + tenant + "/adminconsent?client_id=" + clientID
}
