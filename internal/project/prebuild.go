package project

import (
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
)

// Prebuilds say when what runs once for a checkout of a repository is run ahead, and for which branches.
type Prebuilds struct {
	Branches []RefPattern  // whole refs; none: the default branch
	Push     bool          // after a push through the gateway
	Poll     time.Duration // look this often for commits that have none; 0: never
	Every    time.Duration // and make one anew when the newest of the commit is older than this; 0: never
	Keep     int           // of each branch
}

// Takes reports whether a whole ref has prebuilds; byDefault says that it is the default branch. Nothing but branches does:
// what merge requests hold is anybody's.
func (p Prebuilds) Takes(ref string, byDefault bool) bool {
	if !strings.HasPrefix(ref, branches) {
		return false
	}
	if len(p.Branches) == 0 {
		return byDefault
	}
	for _, b := range p.Branches {
		if b.Match(ref) {
			return true
		}
	}
	return false
}

const branches = "refs/heads/"

// Bounds of prebuilds.
const (
	minPace         = time.Second // lanyard.yaml says what is the least in practice
	DefaultPrebuilt = 3           // kept of each branch
	maxPrebuilt     = 50
)

// readPrebuilds reads `prebuilds` of a repository: true, or a mapping.
func readPrebuilds(v source.Value) *Prebuilds {
	p := &Prebuilds{Push: true, Keep: DefaultPrebuilt}
	if !v.IsMapping() {
		if on, ok := v.Bool(); !ok || !on {
			return nil
		}
		return p
	}
	m, _ := v.Mapping()
	m.Keys([]string{"branches", "push", "poll", "every", "keep"}, map[string]string{"refs": "write `branches`"})
	if e, ok := m.Find("branches"); ok {
		p.Branches = readBranches(e.Value)
	}
	if e, ok := m.Find("push"); ok {
		p.Push, _ = e.Value.Bool()
	}
	p.Poll = readPace(m, "poll")
	p.Every = readPace(m, "every")
	if e, ok := m.Find("keep"); ok {
		n, isNumber := e.Value.Number()
		if isNumber && (n != float64(int(n)) || n < 1 || n > maxPrebuilt) {
			e.Value.Report("a branch keeps 1 to %d prebuilds", maxPrebuilt)
		}
		p.Keep = int(n)
	}
	return p
}

func readBranches(v source.Value) (all []RefPattern) {
	list, _ := v.List()
	for _, one := range list {
		s, ok := one.Text()
		if !ok {
			continue
		}
		if !strings.HasPrefix(s, branches) {
			if strings.HasPrefix(s, "refs/") {
				one.Report("%q is no branch: prebuilds are made of branches only, never of merge requests or tags", s)
				continue
			}
			s = branches + s
		}
		if err := checkPattern(s); err != nil {
			one.Report("%v", err)
			continue
		}
		all = append(all, RefPattern(s))
	}
	return all
}

func readPace(m source.Mapping, key string) time.Duration {
	e, ok := m.Find(key)
	if !ok {
		return 0
	}
	d, ok := e.Value.Duration()
	if ok && d < minPace {
		e.Value.Report("`%s` is at least %s", key, minPace)
	}
	return d
}

// checkPrebuilds says why a repository cannot have them: nobody is there whose credential or sign-in could be used.
func checkPrebuilds(r Repository, v source.Value) {
	switch c := r.Credential; {
	case r.Prebuilds == nil:
	case c.EntraScope != "" || c.GitHubUser != "":
		v.Report("prebuilds are made for nobody in particular, so they need a credential that is the server's own: basic_file, bearer_file, entra_app or github_app. This repository is reached as each person")
	case r.Sensitive != "":
		v.Report("a sensitive repository has no prebuilds: they are made without the sign-in that reading it takes")
	}
}
