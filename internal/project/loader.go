package project

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/source"
)

// lookEvery is how often the folders are looked at.
const lookEvery = time.Second

// Change is an accepted state of the files.
type Change struct {
	Revision Revision
	Names    []Name // to be stored with it
	Pins     []Pin  // to be stored with it
	Projects *Set
	Policies *policy.Set
}

// LoaderConfig makes a Loader.
type LoaderConfig struct {
	Projects string // folder of *.yaml; empty for none
	Policies string // folder of *.cedar; empty for none
	Tenant   identity.TenantID
	Global   map[Role][]source.Located
	Groups   func() Groups // the directory as it is now
	// FromGroups, when set, makes projects of groups. Settle stores what becomes of them and puts the set in force, as
	// Apply does for files; Kept says whether workspaces of a project are left.
	FromGroups *FromGroups
	Settle     func(context.Context, []GroupChange, *Set) error
	Kept       func(identity.ProjectID) bool
	// Stored are the revision, names, pins and projects made of groups that the store holds.
	Revision      Revision
	Names         []Name
	Pins          []Pin
	GroupProjects []GroupProject
	// Apply stores a change and puts it in force. When it fails, nothing has changed and it is tried again.
	// It is not called for what the store holds already.
	Apply func(context.Context, Change) error
	// Rebound, when set, is told of a set whose names of groups resolve differently although no file has changed.
	Rebound func(*Set)
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Loader follows the folders of projects and policies. A state of the files that is good becomes a numbered
// revision; a bad one changes nothing and is reported. One process does this for all.
type Loader struct {
	config   LoaderConfig
	projects folder
	policies folder
	template folder
	revision Revision
	names    []Name
	pins     []Pin
	looked   Groups     // the directory in which names were last looked up
	settled  settlement // when projects were last made of groups
	gone     []string   // files of the revision that the last look missed
	void     []Finding  // bindings that were void at the last look

	mu       sync.Mutex
	current  *Set // nil before the first good state
	problems source.Findings
}

// NewLoader returns a loader that has read nothing yet.
func NewLoader(c LoaderConfig) *Loader {
	if c.Now == nil {
		c.Now = time.Now
	}
	l := &Loader{
		config:   c,
		projects: folder{path: c.Projects, suffix: []string{".yaml", ".yml"}},
		policies: folder{path: c.Policies, suffix: []string{".cedar"}},
		revision: c.Revision,
		names:    slices.Clone(c.Names),
		pins:     slices.Clone(c.Pins),
	}
	if c.FromGroups != nil && c.FromGroups.Template != "" {
		l.template = folder{path: filepath.Dir(c.FromGroups.Template), only: filepath.Base(c.FromGroups.Template)}
	}
	return l
}

// Findings are what is wrong now: what kept the files from being accepted, and the bindings that are void.
func (l *Loader) Findings() []Finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.problems)
	if l.current != nil {
		out = append(out, l.current.findings...)
	}
	return out
}

// Run looks at the folders every second until ctx ends.
func (l *Loader) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = l.Look(ctx) // reported already
		}
	}
}

// Look reads the folders if they may have changed. The error is also logged, once, and among the findings.
func (l *Loader) Look(ctx context.Context) error {
	err := l.look(ctx)
	if err == nil {
		err = l.settle(ctx)
	}
	l.report(err)
	l.reportVoid(ctx)
	return err
}

func (l *Loader) look(ctx context.Context) error {
	current := l.set()
	if current != nil {
		again, err := l.anyChanged()
		if err != nil {
			return err
		}
		if !again {
			return l.rebind(ctx, current)
		}
	}
	now := l.config.Now()
	projects, err := l.projects.read(now)
	if err != nil {
		return fmt.Errorf("reading the project folder: %w", err)
	}
	policies, err := l.policies.read(now)
	if err != nil {
		return fmt.Errorf("reading the policy folder: %w", err)
	}
	template, err := l.template.read(now)
	if err != nil {
		return fmt.Errorf("reading what projects made of groups hold: %w", err)
	}
	for _, text := range template {
		projects[TemplateKey] = text
	}
	if current != nil && l.vanishing(projects, policies) {
		return nil
	}
	same := maps.Equal(projects, l.revision.Projects) && maps.Equal(policies, l.revision.Policies)
	if same && current != nil {
		return l.rebind(ctx, current)
	}
	change, err := l.parse(Revision{Number: l.revision.Number + 1, At: now, Projects: projects, Policies: policies})
	if err != nil {
		l.again()
		return err
	}
	if same && l.revision.Number > 0 && len(change.Names)+len(change.Pins) == 0 {
		change.Revision = l.revision // what the store holds already
		change.Projects.revision = l.revision
		l.accept(change)
		return nil
	}
	return l.apply(ctx, change)
}

// vanishing reports whether files of the current revision are missing that were there a look ago. Editors move a file
// away before they write it anew, and nobody should lose access in between: what is gone must be gone twice.
func (l *Loader) vanishing(projects, policies map[string]string) bool {
	var gone []string
	for _, pair := range [][2]map[string]string{{l.revision.Projects, projects}, {l.revision.Policies, policies}} {
		for name := range pair[0] {
			if _, ok := pair[1][name]; !ok {
				gone = append(gone, name)
			}
		}
	}
	slices.Sort(gone)
	before := l.gone
	l.gone = gone
	if len(gone) == 0 || slices.Equal(gone, before) {
		return false
	}
	l.again()
	return true
}

func (l *Loader) anyChanged() (bool, error) {
	projects, err := l.projects.changed()
	if err != nil {
		return false, fmt.Errorf("reading the project folder: %w", err)
	}
	policies, err := l.policies.changed()
	if err != nil {
		return false, fmt.Errorf("reading the policy folder: %w", err)
	}
	template, err := l.template.changed()
	if err != nil {
		return false, fmt.Errorf("reading what projects made of groups hold: %w", err)
	}
	return projects || policies || template, nil
}

// parse reads both kinds of file, so that all that is wrong is reported together.
func (l *Loader) parse(r Revision) (Change, error) {
	result, err := Parse(Input{Revision: r, Names: l.names, Pins: l.pins, Tenant: l.config.Tenant, Groups: l.groups(), Global: l.config.Global, Pinning: true,
		FromGroups: l.config.FromGroups, GroupProjects: l.stored()})
	policies, policyErr := ParsePolicies(l.config.Tenant, r)
	if err != nil || policyErr != nil {
		return Change{}, join(err, policyErr)
	}
	return Change{Revision: r, Names: result.Names, Pins: result.Pins, Projects: result.Set, Policies: policies}, nil
}

// ParsePolicies reads the policy files of a revision, beside those that ship with Lanyard.
func ParsePolicies(tenant identity.TenantID, r Revision) (*policy.Set, error) {
	var files []policy.File
	for _, name := range slices.Sorted(maps.Keys(r.Policies)) {
		files = append(files, policy.File{Name: name, Text: r.Policies[name]})
	}
	return policy.Parse(policy.Source{Tenant: tenant, Files: files})
}

// join makes one list of findings of several errors.
func join(errs ...error) error {
	var all source.Findings
	for _, err := range errs {
		var f source.Findings
		switch {
		case err == nil:
		case errors.As(err, &f):
			all = append(all, f...)
		default:
			return err
		}
	}
	return all.Err()
}

func (l *Loader) groups() Groups {
	if l.config.Groups == nil {
		return nil
	}
	return l.config.Groups()
}

// rebind looks the names of groups up again. A name that resolves for the first time is pinned, which takes a
// revision of its own.
func (l *Loader) rebind(ctx context.Context, current *Set) error {
	groups := l.groups()
	if sameGroups(groups, l.looked) {
		return nil
	}
	l.looked = groups
	next, changed := current.Rebind(groups)
	switch {
	case next.awaiting:
		r := l.revision
		r.Number, r.At = r.Number+1, l.config.Now()
		l.looked = nil // until it is stored
		change, err := l.parse(r)
		if err != nil {
			return err
		}
		return l.apply(ctx, change)
	case changed:
		l.mu.Lock()
		l.current = next
		l.mu.Unlock()
		if l.config.Rebound != nil {
			l.config.Rebound(next)
		}
	}
	return nil
}

// sameGroups reports whether a and b are the same state of the directory, where that can be told.
func sameGroups(a, b Groups) bool {
	return a != nil && b != nil && reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

func (l *Loader) apply(ctx context.Context, c Change) error {
	if err := l.config.Apply(ctx, c); err != nil {
		l.again()
		return fmt.Errorf("putting revision %d of projects and policies in force: %w", c.Revision.Number, err)
	}
	l.accept(c)
	l.config.Log.InfoContext(ctx, "projects and policies are in force", "revision", c.Revision.Number, "projects", len(c.Projects.projects))
	return nil
}

func (l *Loader) accept(c Change) {
	l.names, l.pins = append(l.names, c.Names...), append(l.pins, c.Pins...)
	l.revision, l.looked = c.Revision, nil
	l.mu.Lock()
	l.current = c.Projects
	l.mu.Unlock()
}

// again makes the next look read the folders whatever they look like.
func (l *Loader) again() { l.projects.readAt = l.projects.newest }

func (l *Loader) set() *Set {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// report keeps what is wrong for Findings, and logs it when it is new.
func (l *Loader) report(err error) {
	var found source.Findings
	if err != nil && !errors.As(err, &found) {
		found = source.Findings{{File: "projects and policies", Message: err.Error()}}
	}
	l.mu.Lock()
	known := slices.Equal(found, l.problems)
	mended := len(l.problems) > 0 && len(found) == 0
	l.problems = found
	l.mu.Unlock()
	switch {
	case known:
	case mended:
		l.config.Log.Info("the files of projects and policies are good again")
	default:
		for _, f := range found {
			l.config.Log.Error("projects and policies stay as they were", "finding", f.String())
		}
	}
}

// reportVoid logs the bindings that have become void: that a group was renamed shows nowhere else.
func (l *Loader) reportVoid(ctx context.Context) {
	set, groups := l.set(), l.groups()
	if set == nil || set.awaiting || groups == nil || !groups.Ready() {
		return
	}
	for _, f := range set.findings {
		if !slices.Contains(l.void, f) {
			l.config.Log.WarnContext(ctx, "a role is given to nobody", "finding", f.String())
		}
	}
	if len(l.void) > 0 && len(set.findings) == 0 {
		l.config.Log.InfoContext(ctx, "every role is given to a group again")
	}
	l.void = set.findings
}
