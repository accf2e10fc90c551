package entrasim

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// applied is what a policy said to a sign-in.
type applied struct {
	Policy
	Unmet string
}

// apply lists the policies that are about an access, enforced or reported only. t.mu is held.
func (t *Tenant) apply(s signIn, a access) []applied {
	if len(t.dir.Policies) == 0 {
		return nil
	}
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
	if len(t.dir.Policies) == 0 {
		return nil
	}
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
