package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
)

const (
	endsSoon = 14 * 24 * time.Hour // a certificate, before it ends
	muchSkew = time.Minute         // the tenant refuses what differs by five
)

// health says how Lanyard stands with the tenant.
func (s *Server) health(ctx context.Context, d api.Directory) api.DirectoryHealth {
	source := s.graph.Load()
	asked := time.Now()
	reads := s.signedIn == nil && s.options.Users != config.FromSCIM
	found := source.Examine(ctx, reads)
	state, door := source.State(), source.Door()
	h := api.DirectoryHealth{
		Leads: s.leading(), Directory: d, Credentials: []api.CredentialHealth{}, Permissions: []api.PermissionHealth{}, Findings: []api.DirectoryFinding{},
		Reading: readingHealth(state), Notifications: notificationHealth(door),
		SweepSeconds: source.Sweep().Seconds(), SkewSeconds: state.Skew.Seconds(),
	}
	for _, c := range found.Credentials {
		h.Credentials = append(h.Credentials, api.CredentialHealth{
			Kind: string(c.Kind), File: c.File, Works: !c.Worked.Before(asked), Ends: c.Ends, Problem: c.Problem,
		})
	}
	for _, p := range found.Permissions {
		h.Permissions = append(h.Permissions, api.PermissionHealth{Name: p.Name, For: p.For, Granted: p.Granted, Problem: p.Problem})
	}
	e := examiner{now: asked, health: &h}
	e.credentials(found.Token)
	e.directory()
	switch {
	case reads:
		h.Latency = latency(source.Sweep(), door)
		e.permissions()
		e.reading(state)
		e.notifications(door)
	case s.signedIn != nil:
		h.Latency = fmt.Sprintf("Lanyard does not read the tenant: a change has its effect at the person's next sign-in, or when Lanyard asks the tenant about them again, which is every %v.", source.Sweep())
	default:
		h.Latency = "Lanyard does not read the tenant: a change has its effect when the tenant's provisioning service tells it, which looks every 40 minutes, or at once where it is told to provision on demand."
	}
	e.clock(state.Skew)
	e.provisioning(s.provision.Findings(ctx))
	slices.SortStableFunc(h.Findings, func(a, b api.DirectoryFinding) int {
		if a.Problem == b.Problem {
			return 0
		}
		if a.Problem {
			return -1
		}
		return 1
	})
	h.Sound = !slices.ContainsFunc(h.Findings, func(f api.DirectoryFinding) bool { return f.Problem })
	return h
}

func readingHealth(state entra.State) api.ReadingHealth {
	r := api.ReadingHealth{
		Read: state.Read, Problem: state.Problem, FailingSince: state.Failing, Requests: state.Requests, Throttled: state.Throttled,
		Failed: state.Failed, QuietUntil: state.Quiet, Resyncs: state.Resyncs, Whole: []api.ReadingPart{},
	}
	for _, p := range state.Reading {
		r.Whole = append(r.Whole, api.ReadingPart{Of: p.Of, Pages: p.Pages, Objects: p.Objects, Resumed: p.Resumed, Since: p.Since})
	}
	return r
}

func notificationHealth(door entra.Door) api.NotificationHealth {
	n := api.NotificationHealth{
		URL: door.URL, Subscriptions: []api.SubscriptionHealth{}, Last: door.Last, Genuine: door.Rang, Strange: door.Strange, Held: door.Held,
	}
	for _, x := range door.Subscriptions {
		n.Subscriptions = append(n.Subscriptions, api.SubscriptionHealth{Of: x.Of, Ends: x.Ends, Problem: x.Problem})
	}
	return n
}

// subscribed says whether users and groups are both subscribed to.
func subscribed(door entra.Door) bool {
	for _, x := range door.Subscriptions {
		if x.Ends.IsZero() {
			return false
		}
	}
	return len(door.Subscriptions) > 0
}

// latency is how soon a change has its effect. Microsoft names none for users and groups ("Unknown" in its table of
// latencies, learn.microsoft.com/graph/change-notifications-overview); people report 10 to 15 seconds.
func latency(sweep time.Duration, door entra.Door) string {
	swept := fmt.Sprintf("at the next sweep, which is every %v, as soon as Graph's own delta shows it", sweep)
	if !subscribed(door) {
		return "A change has its effect here " + swept + "."
	}
	return "A change has its effect here well within a second of Graph's notification. How soon Graph notifies of users and groups Microsoft does not say; " +
		"10 to 15 s are reported. What no notification tells, and assignments of app roles, are found " + swept + "."
}

// examiner makes findings of what is known.
type examiner struct {
	now    time.Time
	health *api.DirectoryHealth
}

func (e examiner) add(problem bool, about, do, format string, args ...any) {
	e.health.Findings = append(e.health.Findings, api.DirectoryFinding{Problem: problem, About: about, Says: fmt.Sprintf(format, args...), Do: do})
}

func (e examiner) credentials(token error) {
	working := false
	for _, c := range e.health.Credentials {
		working = working || c.Works
		name := c.Kind
		if c.File != "" {
			name += " " + c.File
		}
		if c.Problem != "" {
			e.add(true, "credential", "Mend it, or remove it from entra.credential. Files are read again at each token request; nothing has to be restarted.", "The %s does not work: %s.", name, c.Problem)
		} else if c.Kind == "certificate" && !c.Ends.IsZero() && c.Ends.Sub(e.now) < endsSoon {
			e.add(true, "credential", "Make a new certificate, add it to the app registration, and replace both files.", "The %s expires at %s.", name, c.Ends.UTC().Format(time.RFC3339))
		}
	}
	switch {
	case token == nil:
	case len(e.health.Credentials) == 1 && e.health.Credentials[0].Problem != "": // it was said
	default:
		e.add(true, "credential", "Until this is mended nobody new can sign in, and the directory grows old.", "No token can be had from the tenant: %v.", token)
	}
	if working && len(e.health.Credentials) == 1 && e.health.Credentials[0].Kind == "client secret" && e.health.Credentials[0].File != "" {
		e.add(false, "credential", "A federated credential, or a certificate, can be put beside it and is then preferred.", "A client secret is all that proves Lanyard's app: it expires, and whoever reads it is Lanyard.")
	}
}

func (e examiner) permissions() {
	for _, p := range e.health.Permissions {
		if p.Granted {
			continue
		}
		do := "In Entra, at the app registration under API permissions, add the application permission " + p.Name + " of Microsoft Graph and grant admin consent. It takes some minutes."
		if p.Problem != "it is not granted" {
			do = ""
		}
		e.add(true, "permission", do, "%s (%s): %s.", p.Name, p.For, p.Problem)
	}
}

func (e examiner) directory() {
	d := e.health.Directory
	switch d.State {
	case "fresh":
	case "unread":
		e.add(true, "directory", "Nothing is allowed before. Wait for the first reading, or mend what is found beside this.", "The directory has not been read yet.")
	case "stale":
		e.add(true, "directory", "Nothing new is allowed until it is read again.", "The directory is %v old, and may be %v.", seconds(d.AgeSeconds), seconds(d.StaleAfterSeconds))
	default:
		e.add(true, "directory", "Nothing is allowed, and what was open was closed, until it is read again.", "The directory is %v old, and may be %v.", seconds(d.AgeSeconds), seconds(d.CloseAfterSeconds))
	}
}

func seconds(n float64) time.Duration {
	return time.Duration(n * float64(time.Second)).Round(time.Second)
}

func (e examiner) reading(state entra.State) {
	if !e.health.Leads {
		e.add(false, "reading", "", "Another replica reads the tenant. Ask that one about reading and notifications: `lanyard entra doctor` on its machine.")
		return
	}
	for _, p := range state.Reading {
		e.add(false, "reading", "", "All %s are being read since %s: %d in %d pages so far.", p.Of, p.Since.UTC().Format(time.RFC3339), p.Objects, p.Pages)
	}
	if state.Problem != "" {
		e.add(true, "reading", "It is tried again all the time.", "The tenant cannot be read since %s: %s.", state.Failing.UTC().Format(time.RFC3339), state.Problem)
	}
	if state.Quiet.After(e.now) {
		e.add(true, "reading", "Another program may use up the tenant's quota for this app registration; Lanyard waits.", "Graph throttles, and asked to be left alone until %s.", state.Quiet.UTC().Format(time.RFC3339))
	} else if state.Throttled > 0 {
		e.add(false, "reading", "", "Graph throttled %d of %d requests since the reading began here.", state.Throttled, state.Requests)
	}
	for _, refused := range []string{state.Roles, state.SignIns} {
		if refused != "" {
			e.add(true, "reading", "Until then it stays as it was.", "%s", refused)
		}
	}
}

func (e examiner) notifications(door entra.Door) {
	switch {
	case !e.health.Leads:
		return
	case door.URL == "":
		e.add(false, "notifications", "Where Graph can reach Lanyard over https, leave entra.notifications out, or write the address there.", "Notifications are off: the sweep alone finds changes.")
		return
	case len(door.Subscriptions) == 0:
		e.add(false, "notifications", "", "The subscriptions are being made.")
	}
	for _, x := range door.Subscriptions {
		switch {
		case x.Problem != "":
			e.add(true, "notifications", "Graph has to reach "+door.URL+" from the internet, over https with a certificate that is publicly trusted. Where it cannot, write entra: {notifications: none}; the sweep finds changes.",
				"Changes of %s cannot be subscribed to: %s.", x.Of, x.Problem)
		case x.Ends.Before(e.now):
			e.add(true, "notifications", "It is made again; look again in a minute.", "The subscription to %s has lapsed.", x.Of)
		}
	}
}

func (e examiner) provisioning(found []provision.Finding, err error) {
	if err != nil {
		e.add(true, "provisioning", "", "The database cannot be read, so it is not known how provisioning stands: %v.", err)
	}
	for _, f := range found {
		e.add(f.Problem, "provisioning", "", "%s", f.Text)
	}
}

func (e examiner) clock(skew time.Duration) {
	if skew.Abs() > muchSkew {
		e.add(true, "clock", "Set the clock (NTP). Beyond five minutes the tenant refuses what Lanyard signs, and Lanyard what the tenant signs.",
			"This machine's clock and the tenant's differ by %v.", skew.Abs().Round(time.Second))
	}
}
