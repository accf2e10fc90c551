package registration

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// GraphAppID is Microsoft Graph's application ID, which is the same in every tenant.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// The objects that are noted while they are new, and the placeholders of their object IDs.
const (
	theApp       = "app"
	thePrincipal = "principal"
)

// state is what the tenant holds now of what is wanted.
type state struct {
	tenant    Tenant
	app       *application      // nil: it is to be made
	principal *servicePrincipal // of app
	federated []federatedCredential
	owners    []person     // of app
	assigned  []assignment // to principal
	granted   []assignment // principal's, at Microsoft Graph
	consents  []permissionGrant

	graph  servicePrincipal // Microsoft Graph's
	assign []resolved
	me     person
	notes  []string

	provisioning provisioningState
}

// resolved is somebody who is to have a role.
type resolved struct {
	person
	role  Role // without Value: access alone
	first bool // only where nobody has the role yet
}

// mark is the tag by which a registration is known as one that this setup made. A name or an address anybody in the tenant
// can give to a registration of their own; the mark is random, and in the notes before anything bears it.
func (s *Setup) mark() string { return "lanyard:" + s.wanted.URL + "#" + s.notes.Mark }

// look reads everything that the plan is about.
func (s *Setup) look(ctx context.Context) (*state, error) {
	var st state
	orgs, err := all[organization](ctx, s.graph, "/organization?$select=id,displayName,verifiedDomains")
	if statusOf(err) == http.StatusUnauthorized {
		return nil, problem.Wrap(err, problem.Denied, "The token is not taken (%v). Sign in again, or bring a fresh token for Microsoft Graph.", err)
	}
	if err != nil {
		return nil, fmt.Errorf("ask which tenant this is: %w", err)
	}
	if len(orgs) != 1 {
		return nil, problem.New(problem.BadUpstream, "Microsoft Graph does not say which tenant this is.")
	}
	st.tenant = orgs[0].tenant()
	if s.notes.Tenant != st.tenant.ID {
		if err := s.open(st.tenant.ID); err != nil {
			return nil, err
		}
	}
	if err := s.graph.do(ctx, http.MethodGet, "/servicePrincipals(appId='"+GraphAppID+"')?$select=id,appId,appRoles,oauth2PermissionScopes", nil, &st.graph); err != nil {
		return nil, fmt.Errorf("look up the permissions that Microsoft Graph offers: %w", err)
	}
	if st.app, err = s.findApp(ctx, &st); err != nil {
		return nil, err
	}
	if st.app != nil {
		if err := s.lookAround(ctx, &st); err != nil {
			return nil, err
		}
	}
	if err := s.resolve(ctx, &st); err != nil {
		return nil, err
	}
	if len(st.owners) > 0 && st.me.ID == "" {
		_ = s.graph.do(ctx, http.MethodGet, "/me?$select=id,displayName,userPrincipalName", nil, &st.me) // the token may be no person's
	}
	if s.wanted.Provisioning != nil {
		if st.provisioning, err = s.lookProvisioning(ctx, st.app); err != nil {
			return nil, err
		}
	}
	s.know(&st)
	return &st, nil
}

// know fills in what requests refer to.
func (s *Setup) know(st *state) {
	s.values["graph"] = st.graph.ID
	if st.app != nil {
		s.values[theApp], s.values["client"] = st.app.ID, st.app.AppID
	}
	if st.principal != nil {
		s.values[thePrincipal] = st.principal.ID
	}
}

const appFields = "?$select=id,appId,displayName,signInAudience,tags,web,api,appRoles,groupMembershipClaims,optionalClaims,requiredResourceAccess,keyCredentials,passwordCredentials"

// findApp finds the registration: the one that was just made, the one that the configuration names, or the one that
// bears our mark. One that only has our name is a conflict: whoever made it may have kept a way in.
func (s *Setup) findApp(ctx context.Context, st *state) (*application, error) {
	if m := s.notes.Made[theApp]; m.ID != "" {
		var app application
		found, err := s.await(ctx, m.Begun, "the app registration", func() (bool, error) { return s.get(ctx, "/applications/"+m.ID+appFields, &app) })
		if err != nil || found {
			return &app, err
		}
		if err := s.forget(theApp); err != nil { // somebody deleted it
			return nil, err
		}
	}
	if id := s.wanted.ClientID; id != "" {
		var app application
		found, err := s.get(ctx, "/applications(appId='"+id+"')"+appFields, &app)
		if err == nil && !found {
			err = problem.New(problem.NotFound, "The tenant %s has no app registration with the client_id %s. Sign in to its own tenant, or take client_id out of the configuration to register Lanyard anew.", st.tenant.Domain, id)
		}
		return &app, err
	}
	var named, ours []application
	_, err := s.await(ctx, s.notes.Made[theApp].Begun, "the app registration, which may have been made a moment ago", func() (bool, error) {
		var err error
		named, err = all[application](ctx, s.graph, "/applications?$filter=displayName%20eq%20"+literal(s.wanted.Name)+"&$select=id,appId,tags")
		ours = slices.DeleteFunc(slices.Clone(named), func(a application) bool { return !slices.Contains(a.Tags, s.mark()) })
		return len(ours) > 0, err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for the app registration: %w", err)
	case len(ours) > 1:
		return nil, problem.New(problem.Conflict, "The tenant has %d app registrations %q for %s. Delete those that are not in use, or write the client_id of the one that is into the configuration.", len(ours), s.wanted.Name, s.wanted.URL)
	case len(ours) == 0 && len(named) > 0:
		return nil, problem.New(problem.Conflict, "The tenant has an app registration %q already (client_id %s), which anybody in the tenant may have made. If it is yours, write its client_id into the configuration (entra: {client_id: …}); else choose another name with --name.", s.wanted.Name, named[0].AppID)
	case len(ours) == 0:
		return nil, nil
	}
	var app application
	found, err := s.get(ctx, "/applications/"+ours[0].ID+appFields, &app)
	if err == nil && !found {
		err = problem.New(problem.Unavailable, "The app registration %q is listed but not found; run this again in a minute.", s.wanted.Name)
	}
	return &app, err
}

// lookAround reads what hangs at the registration.
func (s *Setup) lookAround(ctx context.Context, st *state) (err error) {
	if st.federated, err = orNone(all[federatedCredential](ctx, s.graph, "/applications/"+st.app.ID+"/federatedIdentityCredentials")); err != nil {
		return fmt.Errorf("look at the federated credentials: %w", err)
	}
	if st.owners, err = orNone(all[person](ctx, s.graph, "/applications/"+st.app.ID+"/owners?$select=id,displayName,userPrincipalName")); err != nil {
		return fmt.Errorf("look who owns the app registration: %w", err)
	}
	var sp servicePrincipal
	var begun time.Time // one that may have been made need not be waited for: there is one at most for an application
	if m := s.notes.Made[thePrincipal]; m.ID != "" || m.Exists {
		begun = m.Begun
	}
	found, err := s.await(ctx, begun, "the enterprise application", func() (bool, error) {
		return s.get(ctx, "/servicePrincipals(appId='"+st.app.AppID+"')?$select=id,appId,displayName,accountEnabled,appRoleAssignmentRequired,tags,appRoles,keyCredentials,passwordCredentials", &sp)
	})
	if err != nil {
		return fmt.Errorf("look for the enterprise application: %w", err)
	}
	if !found {
		return nil
	}
	st.principal = &sp
	if st.assigned, err = orNone(all[assignment](ctx, s.graph, "/servicePrincipals/"+sp.ID+"/appRoleAssignedTo")); err != nil {
		return fmt.Errorf("look who is assigned: %w", err)
	}
	if st.granted, err = orNone(all[assignment](ctx, s.graph, "/servicePrincipals/"+sp.ID+"/appRoleAssignments")); err != nil {
		return fmt.Errorf("look which permissions are granted: %w", err)
	}
	if st.consents, err = orNone(all[permissionGrant](ctx, s.graph, "/oauth2PermissionGrants?$filter=clientId%20eq%20"+literal(sp.ID))); err != nil {
		return fmt.Errorf("look what was consented to: %w", err)
	}
	return nil
}

// get reads an object; found is false where there is none.
func (s *Setup) get(ctx context.Context, path string, into any) (found bool, err error) {
	err = s.graph.do(ctx, http.MethodGet, path, nil, into)
	if statusOf(err) == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// orNone takes a collection below an object that is too new to have one for empty.
func orNone[T any](list []T, err error) ([]T, error) {
	if statusOf(err) == http.StatusNotFound {
		return nil, nil
	}
	return list, err
}

// await tries until it works, or until patience with what was begun is over; once where nothing was.
func (s *Setup) await(ctx context.Context, begun time.Time, what string, try func() (bool, error)) (bool, error) {
	for attempt := 1; ; attempt++ {
		last := s.now().Sub(begun) >= s.patience
		done, err := try()
		if done || err != nil || last {
			return done, err
		}
		s.waiting(what)
		if err := pause(ctx, s.graph.backoff(attempt)); err != nil {
			return false, err
		}
	}
}

func (s *Setup) waiting(what string) {
	if !s.said[what] {
		s.said[what] = true
		s.waits(what)
	}
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// resolve finds the people and groups that are to be assigned.
func (s *Setup) resolve(ctx context.Context, st *state) error {
	roles := map[string]Role{}
	for _, r := range s.wanted.Roles {
		roles[r.Value] = r
	}
	if s.wanted.Me != "" {
		err := s.graph.do(ctx, http.MethodGet, "/me?$select=id,displayName,userPrincipalName", nil, &st.me)
		b := builder{setup: s, state: st}
		switch {
		case err == nil:
			st.assign = append(st.assign, resolved{st.me, roles[s.wanted.Me], true})
		case !b.held(b.roleID(roles[s.wanted.Me])):
			return problem.Wrap(err, problem.Invalid, "Who is to be Lanyard's first administrator? The token that was given is no person's; name a user or a group with --admin.")
		}
	}
	for _, a := range s.wanted.Assign {
		p, err := s.find(ctx, a.Who)
		if err != nil {
			return err
		}
		st.assign = append(st.assign, resolved{p, roles[a.Role], false})
	}
	return nil
}

// find finds a user by user principal name, a group by name, or either by object ID.
func (s *Setup) find(ctx context.Context, who string) (person, error) {
	var p person
	var paths []string
	isID := guid.MatchString(who)
	if isID || strings.Contains(who, "@") {
		paths = append(paths, "/users/"+url.PathEscape(who)+"?$select=id,displayName,userPrincipalName")
	}
	if isID {
		paths = append(paths, "/groups/"+who+"?$select=id,displayName")
	}
	for _, path := range paths {
		found, err := s.get(ctx, path, &p)
		if err != nil {
			return p, fmt.Errorf("look up %s: %w", who, err)
		}
		if found {
			return p, nil
		}
	}
	if len(paths) > 0 {
		return p, problem.New(problem.NotFound, "The tenant has no user or group %s.", who)
	}
	groups, err := all[person](ctx, s.graph, "/groups?$filter=displayName%20eq%20"+literal(who)+"&$select=id,displayName")
	switch {
	case err != nil:
		return p, fmt.Errorf("look up the group %s: %w", who, err)
	case len(groups) == 0:
		return p, problem.New(problem.NotFound, "The tenant has no group %q. A user is named by user principal name, such as ada@contoso.example.", who)
	case len(groups) > 1:
		return p, problem.New(problem.Conflict, "The tenant has %d groups %q; name the one that is meant by its object ID.", len(groups), who)
	}
	return groups[0], nil
}
