package entrasim

import (
	"encoding/json"
	"fmt"
	"maps"
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

// applied is what a policy said to a sign-in.
type applied struct {
	Policy
	Unmet string
}

// apply lists the policies that are about an access, enforced or reported only. t.mu is held.
func (t *Tenant) apply(s signIn, a access) []applied {
	groups, guest := t.dir.groupsOf(s.UserID, true), false
	if u := t.dir.user(s.UserID); u != nil {
		guest = u.Home != ""
	}
	var out []applied
	for _, p := range t.dir.Policies {
		if p.State != PolicyDisabled && p.applies(s.UserID, guest, groups, a) {
			out = append(out, applied{p, p.unmet(s, t.now())})
		}
	}
	return out
}

// allowed refuses at the token endpoint: who is not assigned any more, a sign-in that lacks a context which was asked
// for, or one that does not meet the policies. t.mu is held.
func (t *Tenant) allowed(s signIn, client App, scopes scopes, contexts []string) *stsError {
	for _, app := range []App{client, scopes.Resource} {
		if refused := t.checkAssigned(app, s.UserID); refused != nil {
			refused.OAuth = "invalid_grant"
			return refused
		}
	}
	if refused := t.meets(s, contexts); refused != nil {
		return refused
	}
	return t.conditional(s, wanted(client, scopes, contexts))
}

// conditional refuses a sign-in that does not meet the policies, the one that says most first. t.mu is held.
func (t *Tenant) conditional(s signIn, a access) *stsError {
	if s.MFAAt.IsZero() && s.Device == "" {
		s = t.strengthOf(s)
	}
	by := map[string][]string{} // unmet control → IDs of policies
	name := ""
	for _, p := range t.apply(s, a) {
		if p.enforced() && p.Unmet != "" {
			by[p.Unmet] = append(by[p.Unmet], p.ID)
			name = or(name, p.Name)
		}
	}
	for _, control := range []string{ControlBlock, ControlDevice, ControlJoined, "frequency", ControlMFA} {
		if ids := by[control]; len(ids) > 0 {
			return refusal(control, ids, s)
		}
	}
	return nil
}

// wantsDevice reports whether a policy asks for a device, so that the sign-in page asks too.
func (t *Tenant) wantsDevice() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.dir.Policies, func(p Policy) bool {
		return slices.Contains(p.Controls, ControlDevice) || slices.Contains(p.Controls, ControlJoined)
	})
}

// strengthOf fills in how the session of a sign-in authenticated, for one that was read from a token. t.mu is held.
func (t *Tenant) strengthOf(s signIn) signIn {
	for _, session := range t.grants.Sessions {
		if s.SID != "" && session.SID == s.SID && session.UserID == s.UserID {
			s.MFAAt, s.Device = session.MFAAt, session.Device
		}
	}
	return s
}

func refusal(control string, policies []string, s signIn) *stsError {
	values, _ := json.Marshal(policies)
	e := &stsError{OAuth: "interaction_required", Sub: "basic_action", Claims: `{"access_token":{"capolids":{"essential":true,"values":` + string(values) + `}}}`}
	switch control {
	case ControlBlock:
		e.OAuth, e.Sub, e.Code = "invalid_grant", "message_only", 53003
		e.Message = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
	case ControlDevice:
		e.OAuth, e.Sub, e.Code = "invalid_grant", "message_only", 53000
		e.Message = "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant. " +
			"The user must enroll their device with an approved MDM provider like Intune."
	case ControlJoined:
		e.OAuth, e.Sub, e.Code = "invalid_grant", "message_only", 53001
		e.Message = "Device is not in required device state: domain_joined. Conditional Access policy requires a domain joined device, and the device is not domain joined."
	case "frequency":
		e.OAuth, e.Sub, e.Code = "invalid_grant", "token_expired", 70043
		e.Message = "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. The token was issued on " + s.AuthTime.UTC().Format(time.RFC3339) + "."
	default:
		e.Code, e.Message = 50076, mfaMessage
	}
	return e
}

const mfaMessage = "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource."

// contextsOf are the authentication contexts that a token of this sign-in has besides those that were asked for: those
// that it has met, and those whose policies ask nothing more of it. t.mu is held.
func (t *Tenant) contextsOf(s signIn) []string {
	candidates := map[string]bool{}
	for _, c := range s.Contexts {
		candidates[c] = true
	}
	for _, p := range t.dir.Policies {
		for _, c := range p.Contexts {
			candidates[c] = candidates[c] || p.enforced()
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(candidates)), func(c string) bool { return !candidates[c] || !t.satisfied(s, c) })
}

// satisfied reports whether a sign-in has what an authentication context asks for. A context that nothing guards asks
// for nothing. t.mu is held.
func (t *Tenant) satisfied(s signIn, context string) bool {
	return t.meets(s, []string{context}) == nil && t.conditional(s, access{contexts: []string{context}}) == nil
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
