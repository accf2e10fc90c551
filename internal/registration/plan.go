package registration

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// optional are the optional claims of ID tokens that Lanyard reads: the authentication contexts that were met, the
// session to sign out, who to sign out, when the person authenticated, a guest or not, and an address for show.
//
// https://learn.microsoft.com/entra/identity-platform/optional-claims-reference
func optional() []string { return []string{"acrs", "sid", "login_hint", "auth_time", "acct", "email"} }

const (
	ourAudience = "AzureADMyOrg"
	allUsers    = "AllPrincipals"
	noRole      = "00000000-0000-0000-0000-000000000000" // access alone
	// listed is the tag with which the portal lists an enterprise application among those of the tenant.
	listed = "WindowsAzureActiveDirectoryIntegratedApp"
)

// Plan looks at the tenant and says what is to be done. It changes nothing.
func (s *Setup) Plan(ctx context.Context) (Plan, error) {
	st, err := s.look(ctx)
	if err != nil {
		return Plan{}, err
	}
	b := builder{setup: s, state: st}
	if err := b.application(); err != nil {
		return Plan{}, err
	}
	if err := b.credentials(); err != nil {
		return Plan{}, err
	}
	b.foreign()
	b.principal()
	b.permissions()
	b.assignments()
	b.provisioning()
	p := Plan{Tenant: st.tenant, Steps: b.steps, Notes: append(st.notes, b.notes...), values: s.values}
	if st.me.ID != "" {
		p.As = st.me.String()
	}
	if st.app != nil {
		p.ClientID = st.app.AppID
	}
	return p, nil
}

// builder makes steps of what differs.
type builder struct {
	setup *Setup
	state *state
	steps []Step
	notes []string
}

func (b *builder) add(s Step) { b.steps = append(b.steps, s) }

func (b *builder) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// change collects the properties of an object that differ.
type change struct {
	body    map[string]any
	details []string
}

func (c *change) set(property string, value any, detail string, args ...any) {
	c.body[property] = value
	c.details = append(c.details, fmt.Sprintf(detail, args...))
}

// application makes the app registration, or sets what differs in it.
func (b *builder) application() error {
	w, have := b.setup.wanted, b.state.app
	create := have == nil
	if create {
		have = &application{}
	}
	c := change{body: map[string]any{}}
	if have.SignInAudience != ourAudience {
		c.set("signInAudience", ourAudience, "accounts of this tenant only")
	}
	if have.API.TokenVersion != 2 {
		c.set("api", map[string]any{"requestedAccessTokenVersion": 2}, "tokens of version 2")
	}
	b.web(&c, have.Web)
	if create { // later the configuration says which one it is
		c.set("tags", []string{theirs(b.setup.mark())}, "tag %s, by which an interrupted setup finds it again", b.setup.mark())
	}
	b.roles(&c, have.AppRoles)
	if w.GroupClaims && have.GroupMembershipClaims != "SecurityGroup" && have.GroupMembershipClaims != "All" {
		c.set("groupMembershipClaims", "SecurityGroup", "people's security groups in their tokens")
	}
	b.claims(&c, have.OptionalClaims)
	if err := b.required(&c, have.RequiredResourceAccess); err != nil {
		return err
	}
	switch {
	case create:
		c.body["displayName"] = theirs(w.Name)
		b.add(Step{What: "app registration", Says: fmt.Sprintf("register the application %q", w.Name), Details: c.details, request: &request{
			method: http.MethodPost, path: "/applications", body: c.body, makes: theApp, keeps: map[string]string{theApp: "id", "client": "appId"},
		}})
	case len(c.body) > 0:
		b.add(Step{What: "app registration", Says: fmt.Sprintf("change the app registration %q", have.DisplayName), Details: c.details, request: &request{
			method: http.MethodPatch, path: "/applications/{{app}}", body: c.body,
		}})
	}
	return nil
}

// web is where the sign-in page may lead. Addresses that others have added stay, and are told of.
func (b *builder) web(c *change, have web) {
	w := b.setup.wanted
	uris := slices.Clone(have.RedirectURIs)
	var missing []string
	for _, uri := range w.RedirectURIs {
		if !slices.Contains(uris, uri) {
			uris, missing = append(uris, uri), append(missing, uri)
		}
	}
	for _, uri := range have.RedirectURIs {
		if !slices.Contains(w.RedirectURIs, uri) {
			b.note("The app registration also lets sign-ins return to %s. Remove that if nothing of yours is there.", uri)
		}
	}
	implicit := have.Implicit.Access || have.Implicit.ID
	if len(missing) == 0 && have.LogoutURL == w.LogoutURL && have.HomePageURL == w.URL && !implicit {
		return
	}
	var details []string
	for _, uri := range missing {
		details = append(details, "redirect address "+uri)
	}
	if have.LogoutURL != w.LogoutURL {
		details = append(details, "told of sign-outs at "+w.LogoutURL)
	}
	if have.HomePageURL != w.URL {
		details = append(details, "home page "+w.URL)
	}
	if implicit {
		details = append(details, "no tokens in addresses (implicit grant)")
	}
	c.set("web", map[string]any{
		"homePageUrl": theirs(w.URL), "logoutUrl": theirs(w.LogoutURL), "redirectUris": allTheirs(uris),
		"implicitGrantSettings": map[string]bool{"enableAccessTokenIssuance": false, "enableIdTokenIssuance": false},
	}, "%s", strings.Join(details, "\n"))
}

// roles adds the app roles that are missing. Others are the tenant's own, such as Payments.Lead.
func (b *builder) roles(c *change, have []json.RawMessage) {
	list := anys(have)
	values := valuesOf(have, "value")
	var added []string
	for _, r := range b.setup.wanted.Roles {
		if slices.Contains(values, r.Value) {
			continue
		}
		added = append(added, r.Value)
		list = append(list, map[string]any{
			"id": r.ID, "value": r.Value, "displayName": r.Name, "description": r.Description, "isEnabled": true, "allowedMemberTypes": []string{"User"},
		})
	}
	if len(added) > 0 {
		c.set("appRoles", list, "app roles %s", strings.Join(added, ", "))
	}
}

func (b *builder) claims(c *change, have optionalClaims) {
	names := valuesOf(have.IDToken, "name")
	list := anys(have.IDToken)
	var added []string
	for _, name := range optional() {
		if !slices.Contains(names, name) {
			added, list = append(added, name), append(list, map[string]any{"name": name, "essential": false})
		}
	}
	if len(added) > 0 {
		c.set("optionalClaims", map[string]any{"idToken": list, "accessToken": anys(have.AccessToken), "saml2Token": anys(have.SAML)},
			"claims in ID tokens: %s", strings.Join(added, ", "))
	}
}

// required says which permissions the application asks for, so that whoever consents sees them.
func (b *builder) required(c *change, have []resourceAccess) error {
	list := make([]resourceAccess, len(have))
	for i, r := range have {
		list[i] = resourceAccess{App: theirs(r.App), Access: slices.Clone(r.Access)}
		for j, a := range r.Access {
			list[i].Access[j] = access{theirs(a.ID), theirs(a.Type)}
		}
	}
	i := slices.IndexFunc(list, func(r resourceAccess) bool { return r.App == GraphAppID })
	if i < 0 {
		list, i = append(list, resourceAccess{App: GraphAppID}), len(list)
	}
	wanted := list[i]
	wanted.Access = slices.Clone(wanted.Access)
	var added []string
	need := func(name string, one access) {
		if !slices.Contains(wanted.Access, one) {
			wanted.Access, added = append(wanted.Access, one), append(added, name)
		}
	}
	for _, name := range b.setup.wanted.Application {
		id, err := b.roleOfGraph(name)
		if err != nil {
			return err
		}
		need(name, access{id, "Role"})
	}
	for _, name := range b.setup.wanted.Delegated {
		i := slices.IndexFunc(b.state.graph.Scopes, func(s scope) bool { return s.Value == name })
		if i < 0 {
			return fmt.Errorf("no delegated permission %s is offered by Microsoft Graph in this tenant", name)
		}
		need(name, access{b.state.graph.Scopes[i].ID, "Scope"})
	}
	if len(added) > 0 {
		list[i] = wanted
		c.set("requiredResourceAccess", list, "asks at Microsoft Graph for %s", strings.Join(added, ", "))
	}
	return nil
}

func (b *builder) roleOfGraph(name string) (string, error) {
	for _, r := range b.state.graph.AppRoles {
		if r.Value == name {
			return r.ID, nil
		}
	}
	return "", fmt.Errorf("no application permission %s is offered by Microsoft Graph in this tenant", name)
}

// principal makes the enterprise application, which only those who are assigned to it may sign in to.
func (b *builder) principal() {
	have := b.state.principal
	if have == nil {
		b.add(Step{What: "enterprise application", Says: "make the enterprise application of it", request: &request{
			method: http.MethodPost, path: "/servicePrincipals", body: map[string]any{"appId": "{{client}}", "tags": []string{listed}},
			makes: thePrincipal, keeps: map[string]string{thePrincipal: "id"},
		}})
	}
	if have == nil || !have.AssignmentRequired {
		b.add(Step{What: "enterprise application", Says: "let nobody sign in who is not assigned to it", request: &request{
			method: http.MethodPatch, path: "/servicePrincipals/{{principal}}", body: map[string]any{"appRoleAssignmentRequired": true},
		}})
	}
	if have != nil && have.AccountEnabled != nil && !*have.AccountEnabled {
		b.note("The enterprise application is switched off (\"Enabled for users to sign-in?\"), so nobody can sign in. Who did that may have had a reason; switch it on again in its properties.")
	}
}

// permissions grants what Lanyard may do by itself, and consents for all people to what it may do for them.
func (b *builder) permissions() {
	for _, name := range b.setup.wanted.Application {
		id, err := b.roleOfGraph(name)
		if err != nil { // required has said so
			continue
		}
		if slices.ContainsFunc(b.state.granted, func(a assignment) bool { return a.Role == id && a.Resource == b.state.graph.ID }) {
			continue
		}
		b.add(Step{What: "permission", Says: "grant it " + name + " at Microsoft Graph", consent: true, request: &request{
			method: http.MethodPost, path: "/servicePrincipals/{{graph}}/appRoleAssignedTo",
			body: assignment{Principal: "{{principal}}", Resource: "{{graph}}", Role: id},
		}})
	}
	for _, r := range b.state.graph.AppRoles {
		if !slices.Contains(b.setup.wanted.Application, r.Value) && slices.ContainsFunc(b.state.granted, func(a assignment) bool { return a.Role == r.ID && a.Resource == b.state.graph.ID }) {
			b.note("Lanyard also has the permission %s at Microsoft Graph, which it does not need with this configuration. Take it away in the portal, under the enterprise application's permissions.", r.Value)
		}
	}
	i := slices.IndexFunc(b.state.consents, func(g permissionGrant) bool { return g.Resource == b.state.graph.ID && g.Consent == allUsers })
	if i < 0 {
		b.add(Step{What: "consent", Says: "consent for everybody to signing in (" + strings.Join(b.setup.wanted.Delegated, " ") + ")", consent: true, request: &request{
			method: http.MethodPost, path: "/oauth2PermissionGrants",
			body: permissionGrant{Client: "{{principal}}", Consent: allUsers, Resource: "{{graph}}", Scope: strings.Join(b.setup.wanted.Delegated, " ")},
		}})
		return
	}
	have := strings.Fields(b.state.consents[i].Scope)
	missing := slices.DeleteFunc(slices.Clone(b.setup.wanted.Delegated), func(name string) bool { return slices.Contains(have, name) })
	if len(missing) > 0 {
		b.add(Step{What: "consent", Says: "consent for everybody also to " + strings.Join(missing, " "), consent: true, request: &request{
			method: http.MethodPatch, path: "/oauth2PermissionGrants/" + theirs(b.state.consents[i].ID),
			body: map[string]string{"scope": theirs(strings.Join(append(have, missing...), " "))},
		}})
	}
}

// assignments gives the first people and groups what they are to have.
func (b *builder) assignments() {
	for _, a := range b.state.assign {
		role := b.roleID(a.role)
		if slices.ContainsFunc(b.state.assigned, func(have assignment) bool {
			return have.Principal == a.ID && (have.Role == role || a.role.Value == "") // any role is access
		}) || a.first && b.held(role) {
			continue
		}
		says := "let " + a.String() + " sign in"
		if a.role.Value != "" {
			says = "give " + a.String() + " the role " + a.role.Value
		}
		b.add(Step{What: "assignment", Says: says, request: &request{
			method: http.MethodPost, path: "/servicePrincipals/{{principal}}/appRoleAssignedTo",
			body: assignment{Principal: theirs(a.ID), Resource: "{{principal}}", Role: theirs(role)},
		}})
	}
}

// held says that somebody has a role already.
func (b *builder) held(role string) bool {
	return slices.ContainsFunc(b.state.assigned, func(a assignment) bool { return a.Role == role })
}

// roleID is the ID that a role has in this registration, which need not be ours: somebody may have made it by hand.
func (b *builder) roleID(wanted Role) string {
	if b.state.app != nil {
		for _, raw := range b.state.app.AppRoles {
			var r appRole
			if json.Unmarshal(raw, &r) == nil && r.Value == wanted.Value && wanted.Value != "" {
				return r.ID
			}
		}
	}
	return cmp.Or(wanted.ID, noRole)
}

func anys(list []json.RawMessage) []any {
	out := make([]any, 0, len(list)+2)
	for _, raw := range list {
		out = append(out, theirsRaw(raw))
	}
	return out
}
