package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/doctor"
)

func (a *app) showDirectoryHealth(h api.DirectoryHealth) {
	var rows [][]string
	line := func(what, which, how string) { rows = append(rows, []string{what, clean(which), clean(how)}) }
	now := h.At
	if d := h.Discovery; d.URL != "" {
		how := "is " + d.Issuer + ", with " + count(d.Keys, "key")
		if d.Problem != "" {
			how = d.Problem
		}
		line("tenant", d.URL, how)
	}
	credentialRows(h, line)
	for _, p := range h.Permissions {
		how := "granted"
		if !p.Granted {
			how = p.Problem
		}
		line("permission", p.Name, how)
	}
	for _, r := range h.Redirects {
		how := "not known whether the tenant has it"
		if r.Known {
			how = "the tenant has it"
		} else if r.Refused {
			how = "the tenant does not have it"
		}
		line(r.For, r.URL, how)
	}
	for _, o := range h.Outside {
		line("address", o.Address, "for "+o.For+": "+outsideWords(o))
	}
	if d := h.Directory; !h.Stopped {
		line("directory", d.State, whenOr(d.AsOf, now, "not read yet")+"; "+count(d.Users, "user")+", "+count(d.Groups, "group")+", "+count(d.Memberships, "membership"))
	}
	if h.Leads && h.Reads {
		for _, s := range h.Notifications.Subscriptions {
			how := "none"
			if !s.Ends.IsZero() {
				how = "until " + s.Ends.UTC().Format(time.RFC3339)
			}
			line("subscription", s.Of, how)
		}
		line("notifications", h.Notifications.URL, "last "+whenOr(h.Notifications.Last, now, "none yet"))
		line("requests", count(int(h.Reading.Requests), "request")+" to Graph", strconv.FormatInt(h.Reading.Throttled, 10)+" throttled, "+strconv.FormatInt(h.Reading.Failed, 10)+" failed")
	}
	if p := h.Provisioning; p.Used {
		line("provisioning", count(int(p.Users), "user")+", "+count(int(p.Groups), "group"), "last heard of "+whenOr(p.LastUse, now, "never"))
	}
	line("clock", "", "the tenant's is ahead by "+strconv.FormatFloat(h.Discovery.SkewSeconds, 'f', 0, 64)+" s")
	a.out.table([]string{"WHAT", "WHICH", "HOW"}, rows)
	if h.SignIn != nil && h.SignIn.State == "done" {
		a.showSignInTest(*h.SignIn)
	}
	a.out.line("")
	if !h.Stopped {
		a.out.line("%s", clean(h.Latency))
	}
	a.showFindings(h)
}

func (a *app) showFindings(h api.DirectoryHealth) {
	for _, f := range h.Findings {
		mark := "note"
		if f.Problem {
			mark = "MEND"
		}
		a.out.line("")
		a.out.line("%s  %s: %s", mark, f.About, clean(f.Says))
		if f.Do != "" {
			a.out.line("      %s", clean(f.Do))
		}
	}
	a.out.line("")
	if h.Sound {
		a.out.line("All is sound.")
	} else {
		a.out.line("There is something to mend.")
	}
}

func credentialRows(h api.DirectoryHealth, line func(what, which, how string)) {
	for _, c := range h.Credentials {
		how := "gets a token"
		if !c.Works {
			how = "gets no token"
		}
		ends := c.Ends
		if there := doctor.RegisteredEnd(h.Registration, c.Kind); ends.IsZero() || !there.IsZero() && there.Before(ends) {
			ends = there
		}
		if !ends.IsZero() {
			how += ", ends " + ends.UTC().Format(time.RFC3339)
		}
		which := c.Kind
		if c.File != "" {
			which += " " + c.File
		}
		line("credential", which, how)
	}
}

func outsideWords(o api.OutsideHealth) string {
	switch {
	case o.Trouble != "":
		return o.Problem
	case o.Stranger:
		return "answered by something else"
	}
	words := "reached"
	if o.Version != "" {
		words += " by " + o.Version + ", the certificate holds until " + o.Ends.UTC().Format(time.RFC3339)
	}
	return words
}

// showSignInTest shows the claims that came and what follows from them.
func (a *app) showSignInTest(t api.SignInTest) {
	a.out.line("")
	a.out.line("Test sign-in of %s (%s)", t.Name, t.User)
	rows := make([][]string, 0, len(t.Claims))
	for _, c := range t.Claims {
		rows = append(rows, []string{c.Name, c.Value})
	}
	a.out.table([]string{"CLAIM", "VALUE"}, rows)
	a.out.line("")
	rows = nil
	for _, r := range t.Roles {
		rows = append(rows, []string{"(installation)", r, ""})
	}
	for _, p := range t.Projects {
		rows = append(rows, []string{p.Name, p.Role, through(p.Via, p.Path)})
	}
	if len(rows) == 0 {
		a.out.line("No role follows from that.")
		return
	}
	a.out.table([]string{"PROJECT", "ROLE", "THROUGH"}, rows)
	names := []string{}
	for _, g := range append(append([]api.Group{}, t.Groups...), t.AppRoles...) {
		names = append(names, g.Name)
	}
	a.out.line("Groups and app roles: %s", strings.Join(names, ", "))
}

func whenOr(at, now time.Time, never string) string {
	if at.IsZero() {
		return never
	}
	if s := age(at, now); s != "now" {
		return s + " ago"
	}
	return "now"
}
