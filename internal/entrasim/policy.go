package entrasim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The states of a [Policy].
const (
	PolicyEnabled    = "enabled"
	PolicyDisabled   = "disabled"
	PolicyReportOnly = "enabledForReportingButNotEnforced"
)

// The controls of a [Policy]: it blocks, or wants one or all of these.
const (
	ControlBlock  = "block"
	ControlMFA    = "mfa"
	ControlDevice = "compliantDevice"
	ControlJoined = "domainJoinedDevice"
)

// DeviceCompliant and DeviceJoined are how a browser's device is known to the tenant; any other is unknown.
const (
	DeviceCompliant = "compliant"
	DeviceJoined    = "joined"
)

// All stands for all users, or all apps; Guests for all users of other organisations.
const (
	All    = "All"
	Guests = "GuestsOrExternalUsers"
)

// Policy is a Conditional Access policy: whoever it applies to gets no token unless its controls are met.
//
// https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
type Policy struct {
	ID      string // empty: one is made
	Name    string
	State   string    // empty: PolicyEnabled
	Created time.Time // zero: now
	// Users and Groups are whom it applies to, by object ID; Users may be All. Who is excluded is so whatever else says.
	Users, Groups, ExcludeUsers, ExcludeGroups []string
	// Apps are the client IDs of the resources that it applies to, or All; ExcludeApps are not among them. With Contexts
	// it applies instead to whoever asks for one of these authentication contexts.
	Apps, ExcludeApps, Contexts []string
	// Controls are to be met all, or, when AnyControl, one of them.
	Controls   []string
	AnyControl bool
	// SignInFrequency is how old an authentication may be; 0: any age.
	SignInFrequency time.Duration
}

func (p Policy) enforced() bool { return p.State == PolicyEnabled }

// access is what somebody wants: tokens for these apps, with these authentication contexts.
type access struct {
	apps     []string // client IDs
	contexts []string
}

// wanted are the apps whose policies count for a request: the resource that it names, and the client itself when the
// person is signed in to it.
func wanted(client App, s scopes, contexts []string) access {
	a := access{contexts: contexts}
	if s.Chosen {
		a.apps = append(a.apps, s.Resource.ClientID)
	}
	if s.OpenID || !s.Chosen {
		a.apps = append(a.apps, client.ClientID)
	}
	return a
}

// applies reports whether the policy is about this user and this access. groups are all that the user is in.
func (p Policy) applies(user string, guest bool, groups []string, a access) bool {
	in := func(list, of []string) bool {
		return slices.ContainsFunc(list, func(id string) bool {
			return slices.ContainsFunc(of, func(o string) bool { return strings.EqualFold(id, o) })
		})
	}
	me := []string{user}
	if guest {
		me = append(me, Guests)
	}
	if in(p.ExcludeUsers, me) || in(p.ExcludeGroups, groups) || !slices.Contains(p.Users, All) && !in(p.Users, me) && !in(p.Groups, groups) {
		return false
	}
	if len(p.Contexts) > 0 {
		return in(p.Contexts, a.contexts)
	}
	return (slices.Contains(p.Apps, All) || in(p.Apps, a.apps)) && !in(p.ExcludeApps, a.apps)
}

// unmet is the control that a sign-in lacks, or empty.
func (p Policy) unmet(s signIn, now time.Time) string {
	if slices.Contains(p.Controls, ControlBlock) {
		return ControlBlock
	}
	var lacks []string
	for _, c := range p.Controls {
		switch {
		case c == ControlMFA && s.MFAAt.IsZero(), c == ControlDevice && s.Device != DeviceCompliant, c == ControlJoined && s.Device != DeviceJoined:
			lacks = append(lacks, c)
		}
	}
	if p.AnyControl && len(lacks) < len(p.Controls) {
		lacks = nil
	}
	switch {
	case p.AnyControl && slices.Contains(lacks, ControlMFA):
		return ControlMFA // what a person can do something about at once
	case slices.Contains(lacks, ControlDevice):
		return ControlDevice
	case len(lacks) > 0:
		return lacks[0]
	case p.SignInFrequency > 0 && now.Sub(s.AuthTime) >= p.SignInFrequency:
		return "frequency"
	}
	return ""
}

// Policies lists the Conditional Access policies.
func (t *Tenant) Policies() []Policy {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.dir.Policies)
}

// SetPolicy adds a policy, or replaces the one with its ID, and returns it with what was filled in.
func (t *Tenant) SetPolicy(p Policy) (Policy, error) {
	p.ID, p.State = or(p.ID, newGUID()), or(p.State, PolicyEnabled)
	if err := p.check(); err != nil {
		return Policy{}, err
	}
	return p, t.change(func(d *directory) error {
		list := slices.Clone(d.Policies)
		i := slices.IndexFunc(list, func(o Policy) bool { return o.ID == p.ID })
		if i < 0 {
			if p.Created.IsZero() {
				p.Created = t.now().UTC()
			}
			list = append(list, p)
		} else {
			p.Created = list[i].Created
			list[i] = p
		}
		d.Seq++
		d.Policies = list
		return nil
	})
}

// RemovePolicy takes a policy away, by ID or name.
func (t *Tenant) RemovePolicy(ref string) error {
	return t.change(func(d *directory) error {
		rest := slices.DeleteFunc(slices.Clone(d.Policies), func(p Policy) bool { return strings.EqualFold(p.ID, ref) || p.Name == ref })
		if len(rest) == len(d.Policies) {
			return notFound(ref)
		}
		d.Seq++
		d.Policies = rest
		return nil
	})
}

func (p Policy) check() error {
	invalid := func(what string) error { return badRequest("1011: The policy is invalid: " + what + ".") }
	known := []string{ControlBlock, ControlMFA, ControlDevice, ControlJoined}
	for _, c := range p.Controls {
		if !slices.Contains(known, c) {
			return invalid(fmt.Sprintf("this tenant does not simulate the control '%s'; it knows %s", c, strings.Join(known, ", ")))
		}
	}
	for _, c := range p.Contexts {
		if !isContext(c) {
			return invalid(fmt.Sprintf("'%s' is no authentication context, which are c1 to c99", c))
		}
	}
	switch {
	case strings.TrimSpace(p.Name) == "":
		return invalid("displayName is missing")
	case !slices.Contains([]string{PolicyEnabled, PolicyDisabled, PolicyReportOnly}, p.State):
		return invalid("state is none of enabled, disabled, enabledForReportingButNotEnforced")
	case len(p.Users)+len(p.Groups) == 0:
		return invalid("it applies to no users")
	case len(p.Apps) == 0 && len(p.Contexts) == 0:
		return invalid("it applies to no applications and no authentication context")
	case len(p.Controls) == 0 && p.SignInFrequency == 0:
		return invalid("it has no control")
	case slices.Contains(p.Controls, ControlBlock) && len(p.Controls) > 1:
		return invalid("a policy that blocks has no other control")
	}
	return nil
}

// isContext: c1 to c99.
func isContext(s string) bool {
	return (len(s) == 2 || len(s) == 3) && s[0] == 'c' && s[1] >= '1' && s[1] <= '9' && (len(s) == 2 || s[2] >= '0' && s[2] <= '9')
}
