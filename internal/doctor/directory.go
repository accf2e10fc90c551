package doctor

import (
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/api"
)

const asDirectory = "directory"

func (e examiner) directory() {
	d := e.health.Directory
	switch d.State {
	case "fresh", "":
	case "unread":
		e.mend("directory-unread", asDirectory, "Nothing is allowed before. Wait for the first reading, or mend what is found beside this.", "The directory has not been read yet.")
	case "stale":
		e.mend("directory-stale", asDirectory, "Nothing new is allowed until it is read again.", "The directory is %v old, and may be %v.", seconds(d.AgeSeconds), seconds(d.StaleAfterSeconds))
	default:
		e.mend("directory-expired", asDirectory, "Nothing is allowed, and what was open was closed, until it is read again.", "The directory is %v old, and may be %v.", seconds(d.AgeSeconds), seconds(d.CloseAfterSeconds))
	}
}

// roles looks whether anybody can administer Lanyard at all, and for roles that are given to nobody.
func (e examiner) roles() {
	h := e.health
	if h.Directory.State != "fresh" || h.Directory.Members == "sign-in" { // it is not known who there is
		return
	}
	if h.Roles.Admins == 0 {
		e.mend("roles-admin", "roles", "Name a group or an app role that is assigned to Lanyard's enterprise application under roles: {admin: […]}, and put somebody into it. `lanyard projects` lists names that mean nothing.",
			"Nobody holds the role admin.")
	}
	if h.Roles.Void > 0 {
		e.note("roles-void", "roles", "`lanyard projects` lists them.", "%d names of groups or app roles in the configuration give nothing: they are unknown, ambiguous, or not assigned to Lanyard's enterprise application.", h.Roles.Void)
	}
}

func (e examiner) permissions() {
	for _, p := range e.health.Permissions {
		if p.Granted {
			e.stillGranted(p)
			continue
		}
		do := addPermission(p.Name)
		if p.Problem != "it is not granted" {
			do = "Mend what is found beside this first, then look again."
		}
		e.mend("permission-missing", "permission", do, "%s (%s): %s.", p.Name, p.For, p.Problem)
	}
}

// stillGranted looks whether a permission that works now is still there: a token holds what was granted when it was made,
// and what lets Lanyard read may not let it be told of changes (learn.microsoft.com/graph/api/subscription-post-subscriptions).
func (e examiner) stillGranted(p api.PermissionHealth) {
	r := e.health.Registration
	if !r.Readable || !r.Enterprise || holds(r, p.Name, strings.Replace(p.Name, ".Read.", ".ReadWrite.", 1)) {
		return
	}
	const about = "permission"
	switch wide := holds(r, "Directory.Read.All", "Directory.ReadWrite.All"); {
	case !wide:
		e.mend("permission-missing", about, addPermission(p.Name), "%s (%s): it was taken away, and works only until Lanyard's present token ends.", p.Name, p.For)
	case p.Name != "Application.Read.All" && e.health.Notifications.URL != "":
		e.mend("permission-missing", about, addPermission(p.Name), "%s (%s): it is not granted. Another permission lets Lanyard read, but not be told of changes.", p.Name, p.For)
	}
}

func holds(r api.RegistrationHealth, any ...string) bool {
	return slices.ContainsFunc(r.Permissions, func(held string) bool { return slices.Contains(any, held) })
}

func addPermission(name string) string {
	return "In Entra, at the app registration under API permissions, add the application permission " + name + " of Microsoft Graph and grant admin consent. It takes some minutes."
}

func (e examiner) reading() {
	const about = "reading"
	r := e.health.Reading
	if !e.health.Leads {
		e.note("reading-elsewhere", about, "", "Another replica reads the tenant. Ask that one about reading and notifications: `lanyard entra doctor` on its machine.")
		return
	}
	for _, p := range r.Whole {
		e.note("reading-whole", about, "", "All %s are being read since %s: %d in %d pages so far.", p.Of, moment(p.Since), p.Objects, p.Pages)
	}
	if r.Problem != "" {
		e.mend("reading-failing", about, "It is tried again all the time.", "The tenant cannot be read since %s: %s.", moment(r.FailingSince), r.Problem)
	}
	if r.QuietUntil.After(e.now) {
		e.mend("reading-throttled", about, "Another program may use up the tenant's quota for this app registration; Lanyard waits.", "Graph throttles, and asked to be left alone until %s.", moment(r.QuietUntil))
	} else if r.Throttled > 0 {
		e.note("reading-was-throttled", about, "", "Graph throttled %d of %d requests since the reading began here.", r.Throttled, r.Requests)
	}
	for _, refused := range r.Refused {
		e.mend("reading-refused", about, "Until then it stays as it was.", "%s", refused)
	}
}

func (e examiner) notifications() {
	const about = "notifications"
	n := e.health.Notifications
	switch {
	case !e.health.Leads:
		return
	case n.URL == "":
		e.note("notifications-off", about, "Where Graph can reach Lanyard over https, leave entra.notifications out, or write the address there.", "Notifications are off: the sweep alone finds changes.")
		return
	case len(n.Subscriptions) == 0:
		e.note("notifications-begin", about, "", "The subscriptions are being made.")
	}
	for _, x := range n.Subscriptions {
		switch {
		case x.Problem != "":
			e.mend("notifications-failing", about, "Graph has to reach "+n.URL+" from the internet, over https with a certificate that is publicly trusted. Where it cannot, write entra: {notifications: none}; the sweep finds changes.",
				"Changes of %s cannot be subscribed to: %s.", x.Of, x.Problem)
		case x.Ends.Before(e.now):
			e.mend("notifications-lapsed", about, "It is made again; look again in a minute.", "The subscription to %s has lapsed.", x.Of)
		}
	}
}

func (e examiner) provisioning() {
	p := e.health.Provisioning
	if p.Problem != "" {
		e.mend("provisioning-unknown", "provisioning", "", "The database cannot be read, so it is not known how provisioning stands: %s.", p.Problem)
	}
	for _, f := range p.Findings {
		if f.Problem {
			e.mend("provisioning", "provisioning", "", "%s", f.Text)
		} else {
			e.note("provisioning", "provisioning", "", "%s", f.Text)
		}
	}
}

// clock compares this machine's clock with the tenant's, by what Graph or the sign-in said last.
func (e examiner) clock() {
	skew := seconds(e.health.SkewSeconds)
	if other := seconds(e.health.Discovery.SkewSeconds); other.Abs() > skew.Abs() {
		skew = other
	}
	if skew.Abs() > muchSkew {
		e.mend("clock", "clock", "Set the clock (NTP). Beyond five minutes the tenant refuses what Lanyard signs, and Lanyard what the tenant signs.",
			"This machine's clock and the tenant's differ by %v.", skew.Abs())
	}
}
