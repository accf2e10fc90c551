// Package doctor says what is wrong between Lanyard and the tenant, and what to do: findings are a pure function of what
// was observed (api.DirectoryHealth), so that a report can be looked at again elsewhere. It also makes such a report of
// what was observed, without what names people and places.
package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

const (
	endsSoon = 14 * 24 * time.Hour // a credential or certificate, before it ends
	muchSkew = time.Minute         // the tenant refuses what differs by five
)

// Diagnose fills in findings, problems first, whether all is sound, and how soon a change has its effect. What was
// observed alone decides, and the moment at which it was.
func Diagnose(h *api.DirectoryHealth) {
	h.Findings, h.Latency = []api.DirectoryFinding{}, latency(h)
	e := examiner{now: h.At, health: h}
	e.discovery()
	e.credentials()
	e.registration()
	e.redirects()
	if h.Stopped {
		e.mend("server-stopped", "server", "Start it: `lanyard serve --config FILE`.", "No server runs, so the configuration and the tenant were compared, and nothing beyond that.")
	} else {
		e.outside()
		e.directory()
		e.roles()
	}
	if h.Reads {
		e.permissions()
	}
	if h.Reads && !h.Stopped {
		e.reading()
		e.notifications()
	}
	e.clock()
	e.provisioning()
	e.signIn()
	e.signInLog()
	slices.SortStableFunc(h.Findings, func(a, b api.DirectoryFinding) int {
		switch {
		case a.Problem == b.Problem:
			return 0
		case a.Problem:
			return -1
		}
		return 1
	})
	h.Sound = !slices.ContainsFunc(h.Findings, func(f api.DirectoryFinding) bool { return f.Problem })
}

// examiner makes findings of what is known.
type examiner struct {
	now    time.Time
	health *api.DirectoryHealth
}

// mend adds something to mend. The code names the kind of fault, and its first word what it is about.
func (e examiner) mend(code, about, do, format string, args ...any) {
	e.add(api.DirectoryFinding{Problem: true, Code: code, About: about, Do: do, Says: fmt.Sprintf(format, args...)})
}

// note adds something that is only worth knowing.
func (e examiner) note(code, about, do, format string, args ...any) {
	e.add(api.DirectoryFinding{Code: code, About: about, Do: do, Says: fmt.Sprintf(format, args...)})
}

func (e examiner) add(f api.DirectoryFinding) { e.health.Findings = append(e.health.Findings, f) }

// moment is a time as findings say it.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func seconds(n float64) time.Duration {
	return time.Duration(n * float64(time.Second)).Round(time.Second)
}
