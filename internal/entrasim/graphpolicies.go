package entrasim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// graphConditionalAccess answers /identity/conditionalAccess: the policies, and the authentication contexts that they
// are about.
func (t *Tenant) graphConditionalAccess(r graphRequest) (graphAnswer, error) {
	if len(r.path) < 3 || r.path[1] != "conditionalAccess" {
		return graphAnswer{}, noSegment(strings.Join(r.path[1:], "/"))
	}
	if !r.may(policyRead, policyWrite, DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	if r.Method != http.MethodGet && !r.may(policyWrite, DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	switch rest := r.path[3:]; {
	case r.path[2] == "authenticationContextClassReferences" && r.Method == http.MethodGet && len(rest) == 0:
		return t.entities(r, "identity/conditionalAccess/authenticationContextClassReferences", "authenticationContextClassReference", t.contextEntities())
	case r.path[2] == "policies":
		return t.graphPolicies(r, rest)
	}
	return graphAnswer{}, noSegment(strings.Join(r.path[2:], "/"))
}

// contextEntities are the contexts that something guards.
func (t *Tenant) contextEntities() map[string]entity {
	t.mu.Lock()
	defer t.mu.Unlock()
	byID := map[string]entity{}
	add := func(id string) {
		byID[id] = entity{"id": id, "displayName": "Context " + id, "description": "Guarded by this tenant", "isAvailable": true}
	}
	for _, id := range t.org.StepUp {
		add(id)
	}
	for _, p := range t.dir.Policies {
		for _, id := range p.Contexts {
			add(id)
		}
	}
	return byID
}

func (t *Tenant) graphPolicies(r graphRequest, rest []string) (graphAnswer, error) {
	const context = "identity/conditionalAccess/policies"
	all := t.Policies()
	if len(rest) == 0 {
		switch r.Method {
		case http.MethodGet:
			byID := map[string]entity{}
			for _, p := range all {
				byID[p.ID] = p.entity()
			}
			return t.entities(r, context, "conditionalAccessPolicy", byID)
		case http.MethodPost:
			p, err := readPolicy(r, Policy{})
			if err == nil {
				p, err = t.SetPolicy(p)
			}
			if err != nil {
				return graphAnswer{}, err
			}
			e := p.entity()
			e["@odata.context"] = t.context(context, nil) + "/$entity"
			return graphAnswer{Status: http.StatusCreated, Body: e}, nil
		}
		return graphAnswer{}, notAllowed(r.Method)
	}
	i := slices.IndexFunc(all, func(p Policy) bool { return strings.EqualFold(p.ID, rest[0]) })
	if i < 0 || len(rest) > 1 {
		return graphAnswer{}, notFound(rest[0])
	}
	switch r.Method {
	case http.MethodGet:
		return t.oneEntity(r, context, "conditionalAccessPolicy", all[i].entity())
	case http.MethodPatch:
		p, err := readPolicy(r, all[i])
		if err == nil {
			_, err = t.SetPolicy(p)
		}
		return graphAnswer{}, err
	case http.MethodDelete:
		return graphAnswer{}, t.RemovePolicy(all[i].ID)
	}
	return graphAnswer{}, notAllowed(r.Method)
}

// policyBody is a policy in Graph's form, as far as this tenant simulates it.
type policyBody struct {
	DisplayName, State *string
	Conditions         *struct {
		ClientAppTypes []string
		Applications   struct {
			IncludeApplications, ExcludeApplications, IncludeAuthenticationContextClassReferences []string
			IncludeUserActions                                                                    []string
		}
		Users struct {
			IncludeUsers, ExcludeUsers, IncludeGroups, ExcludeGroups, IncludeRoles, ExcludeRoles []string
		}
		Locations, Platforms, Devices    any
		SignInRiskLevels, UserRiskLevels []string
	}
	GrantControls *struct {
		Operator                                                 string
		BuiltInControls, CustomAuthenticationFactors, TermsOfUse []string
		AuthenticationStrength                                   any
	}
	SessionControls *struct {
		SignInFrequency *struct {
			Value     int
			Type      string
			IsEnabled bool
		}
	}
}

// readPolicy reads what a request says of a policy over what it was. What is not simulated is refused, not passed over.
func readPolicy(r graphRequest, p Policy) (Policy, error) {
	var b policyBody
	if err := r.body(&b); err != nil {
		return p, err
	}
	if b.DisplayName != nil {
		p.Name = *b.DisplayName
	}
	if b.State != nil {
		p.State = *b.State
	}
	if c := b.Conditions; c != nil {
		if c.Locations != nil || c.Platforms != nil || c.Devices != nil || len(c.SignInRiskLevels)+len(c.UserRiskLevels)+len(c.Users.IncludeRoles)+len(c.Users.ExcludeRoles)+len(c.Applications.IncludeUserActions) > 0 {
			return p, badRequest("1011: This tenant simulates conditions of users, groups, applications and authentication contexts alone.")
		}
		none := func(list []string) []string {
			return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return strings.EqualFold(s, "none") })
		}
		p.Apps, p.ExcludeApps, p.Contexts = none(c.Applications.IncludeApplications), c.Applications.ExcludeApplications, c.Applications.IncludeAuthenticationContextClassReferences
		p.Users, p.ExcludeUsers, p.Groups, p.ExcludeGroups = none(c.Users.IncludeUsers), c.Users.ExcludeUsers, c.Users.IncludeGroups, c.Users.ExcludeGroups
	}
	if g := b.GrantControls; g != nil {
		if g.AuthenticationStrength != nil || len(g.CustomAuthenticationFactors)+len(g.TermsOfUse) > 0 {
			return p, badRequest("1011: This tenant simulates built-in grant controls alone.")
		}
		p.Controls, p.AnyControl = g.BuiltInControls, g.Operator == "OR" && len(g.BuiltInControls) > 1
	}
	if s := b.SessionControls; s != nil {
		p.SignInFrequency = 0
		if f := s.SignInFrequency; f != nil && f.IsEnabled {
			unit := map[string]time.Duration{"hours": time.Hour, "days": 24 * time.Hour}[f.Type]
			if p.SignInFrequency = time.Duration(f.Value) * unit; p.SignInFrequency <= 0 {
				return p, badRequest("1011: The sign-in frequency is a number of hours or days.")
			}
		}
	}
	return p, nil
}

func (p Policy) entity() entity {
	operator := "AND"
	if p.AnyControl || len(p.Controls) == 1 {
		operator = "OR"
	}
	grant, session := any(nil), any(nil)
	if len(p.Controls) > 0 {
		grant = entity{"operator": operator, "builtInControls": p.Controls, "customAuthenticationFactors": []string{}, "termsOfUse": []string{}, "authenticationStrength": nil}
	}
	if p.SignInFrequency > 0 {
		value, unit := int(p.SignInFrequency/time.Hour), "hours"
		session = entity{"signInFrequency": entity{"value": value, "type": unit, "isEnabled": true, "authenticationType": "primaryAndSecondaryAuthentication",
			"frequencyInterval": "timeBased"}, "applicationEnforcedRestrictions": nil, "cloudAppSecurity": nil, "persistentBrowser": nil, "disableResilienceDefaults": nil}
	}
	list := func(l []string) []string { return append([]string{}, l...) }
	return entity{
		"id": p.ID, "displayName": p.Name, "state": p.State, "createdDateTime": p.Created.UTC().Format(graphTime), "modifiedDateTime": nil, "templateId": nil,
		"conditions": entity{
			"clientAppTypes": []string{"all"}, "signInRiskLevels": []string{}, "userRiskLevels": []string{}, "servicePrincipalRiskLevels": []string{},
			"platforms": nil, "locations": nil, "devices": nil, "clientApplications": nil,
			"applications": entity{"includeApplications": list(p.Apps), "excludeApplications": list(p.ExcludeApps), "includeUserActions": []string{},
				"includeAuthenticationContextClassReferences": list(p.Contexts), "applicationFilter": nil},
			"users": entity{"includeUsers": list(p.Users), "excludeUsers": list(p.ExcludeUsers), "includeGroups": list(p.Groups), "excludeGroups": list(p.ExcludeGroups),
				"includeRoles": []string{}, "excludeRoles": []string{}, "includeGuestsOrExternalUsers": nil, "excludeGuestsOrExternalUsers": nil},
		},
		"grantControls": grant, "sessionControls": session,
	}
}

// logged is what the log of sign-ins says of a policy.
func (a applied) entity() entity {
	result := "success"
	switch {
	case a.State == PolicyReportOnly && a.Unmet != "":
		result = "reportOnlyFailure"
	case a.State == PolicyReportOnly:
		result = "reportOnlySuccess"
	case a.Unmet != "":
		result = "failure"
	}
	names := map[string]string{ControlBlock: "Block", ControlMFA: "Mfa", ControlDevice: "RequireCompliantDevice", ControlJoined: "RequireDomainJoinedDevice"}
	grants, sessions := []string{}, []string{}
	for _, c := range a.Controls {
		grants = append(grants, or(names[c], c))
	}
	if a.SignInFrequency > 0 {
		sessions = append(sessions, "SignInFrequency")
	}
	return entity{"id": a.ID, "displayName": a.Name, "enforcedGrantControls": grants, "enforcedSessionControls": sessions, "result": result}
}
