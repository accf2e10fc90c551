package registration

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Provisioning is the enterprise application through which the tenant's provisioning service tells Lanyard of people.
// An app registration's own enterprise application cannot do that ("Known issues for provisioning in Microsoft Entra ID").
type Provisioning struct {
	Name      string
	TenantURL string // Lanyard's SCIM endpoint
	// Secret makes a secret at the running Lanyard; nil where none runs yet.
	Secret func(context.Context) (string, error)
}

const (
	// customTemplate is the application template of what is in no gallery.
	customTemplate = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621"
	// scimTemplate is its synchronization template.
	scimTemplate    = "scim"
	theProvisioning = "provisioning"
	// provisioningTag and the object ID is the tag with which our app registration says which application provisions it:
	// only who administers the registration can write that.
	provisioningTag = "lanyard-provisioning:"
)

type provisioningState struct {
	principal *servicePrincipal
	tagged    bool
	job       *syncJob
	secrets   []string // keys that have a value
	assigned  []assignment
}

type syncJob struct {
	ID       string `json:"id"`
	Schedule struct {
		State string `json:"state"` // Active, Disabled, Paused
	} `json:"schedule"`
}

// firstName is what the application for provisioning is called until it is known which one it is: a template takes a name
// and nothing else.
func (s *Setup) firstName() string { return "lanyard-" + s.notes.Mark }

// findProvisioning finds the application that the notes or our app registration name, or the one with the first name. One
// that only has the name for people is a conflict: whoever made it may have kept a way to the secret.
func (s *Setup) findProvisioning(ctx context.Context, app *application) (*servicePrincipal, error) {
	const fields = "$select=id,appId,displayName,tags,appRoles"
	const what = "the enterprise application for provisioning"
	var one servicePrincipal
	if m := s.notes.Made[theProvisioning]; m.ID != "" {
		found, err := s.await(ctx, m.Begun, what, func() (bool, error) { return s.get(ctx, "/servicePrincipals/"+m.ID+"?"+fields, &one) })
		if err != nil || found {
			return &one, err
		}
		if err := s.forget(theProvisioning); err != nil { // somebody deleted it
			return nil, err
		}
	}
	var hits []servicePrincipal
	for _, id := range app.provisions() {
		found, err := s.get(ctx, "/servicePrincipals/"+id+"?"+fields, &one)
		if err != nil {
			return nil, err
		}
		if found {
			hits = append(hits, one)
		}
	}
	list := func(name string) (list []servicePrincipal, err error) {
		return all[servicePrincipal](ctx, s.graph, "/servicePrincipals?$filter=displayName%20eq%20"+literal(name)+"&"+fields)
	}
	if len(hits) == 0 {
		_, err := s.await(ctx, s.notes.Made[theProvisioning].Begun, what, func() (bool, error) {
			var err error
			hits, err = list(s.firstName())
			return len(hits) > 0, err
		})
		if err != nil {
			return nil, err
		}
	}
	switch len(hits) {
	case 1:
		return &hits[0], nil
	case 0:
		named, err := list(s.wanted.Provisioning.Name)
		if err == nil && len(named) > 0 {
			err = problem.New(problem.Conflict, "The tenant has an enterprise application %q already, which anybody in the tenant may have made. If it is yours, add the tag %s to the app registration, under Manifest; else delete it, or choose another name with --name.", s.wanted.Provisioning.Name, provisioningTag+named[0].ID)
		}
		return nil, err
	}
	return nil, problem.New(problem.Conflict, "The tenant has %d enterprise applications that say they provision Lanyard (%s, %s). Delete all but the one that does.", len(hits), hits[0].ID, hits[1].ID)
}

// provisions are the object IDs of what our app registration says provisions it.
func (a *application) provisions() (ids []string) {
	if a == nil {
		return nil
	}
	for _, tag := range a.Tags {
		if id, ours := strings.CutPrefix(tag, provisioningTag); ours && guid.MatchString(id) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *Setup) lookProvisioning(ctx context.Context, app *application) (st provisioningState, err error) {
	st.principal, err = s.findProvisioning(ctx, app)
	if err != nil || st.principal == nil {
		return st, err
	}
	s.values[theProvisioning], s.values["provisioning-client"] = st.principal.ID, st.principal.AppID
	st.tagged = slices.Contains(app.provisions(), st.principal.ID)
	below := "/servicePrincipals/" + st.principal.ID
	jobs, err := orNone(all[syncJob](ctx, s.graph, below+"/synchronization/jobs"))
	if err != nil {
		return st, fmt.Errorf("look for the provisioning job: %w", err)
	}
	if len(jobs) > 0 {
		st.job = &jobs[0]
		s.values["job"] = jobs[0].ID
	}
	var secrets struct {
		Value []struct{ Key, Value string }
	}
	if _, err = s.get(ctx, below+"/synchronization/secrets", &secrets); err != nil {
		return st, fmt.Errorf("look whether provisioning has a secret: %w", err)
	}
	for _, one := range secrets.Value {
		if one.Value != "" {
			st.secrets = append(st.secrets, one.Key)
		}
	}
	if st.assigned, err = orNone(all[assignment](ctx, s.graph, below+"/appRoleAssignedTo")); err != nil {
		return st, fmt.Errorf("look who is provisioned: %w", err)
	}
	return st, nil
}

// provisioning makes the second enterprise application, its job and its secret, and lets it tell of the same people.
func (b *builder) provisioning() {
	w, have := b.setup.wanted.Provisioning, b.state.provisioning
	if w == nil {
		return
	}
	add := func(says, method, path string, body any, keeps map[string]string) {
		b.add(Step{What: "provisioning", Says: says, request: &request{method: method, path: path, body: body, keeps: keeps}})
	}
	if have.principal == nil {
		b.add(Step{What: "provisioning", Says: fmt.Sprintf("make the enterprise application %q for provisioning", w.Name), request: &request{
			method: http.MethodPost, path: "/applicationTemplates/" + customTemplate + "/instantiate", body: map[string]string{"displayName": b.setup.firstName()},
			makes: theProvisioning, keeps: map[string]string{theProvisioning: "servicePrincipal.id", "provisioning-client": "servicePrincipal.appId"}, at: "/servicePrincipals",
		}})
	}
	if !have.tagged {
		tags := []string{theirs(b.setup.mark())}
		if b.state.app != nil {
			others := slices.DeleteFunc(slices.Clone(b.state.app.Tags), func(tag string) bool { return strings.HasPrefix(tag, provisioningTag) })
			tags = allTheirs(others)
		}
		add("note at the app registration which application provisions it", http.MethodPatch, "/applications/{{app}}", map[string]any{"tags": append(tags, provisioningTag+"{{provisioning}}")}, nil)
	}
	if have.principal == nil || have.principal.DisplayName == b.setup.firstName() {
		add(fmt.Sprintf("call it %q", w.Name), http.MethodPatch, "/applications(appId='{{provisioning-client}}')", map[string]string{"displayName": theirs(w.Name)}, nil)
	}
	if have.job == nil {
		add("give it a provisioning job (SCIM)", http.MethodPost, "/servicePrincipals/{{provisioning}}/synchronization/jobs", map[string]string{"templateId": scimTemplate}, map[string]string{"job": "id"})
	}
	for _, a := range b.state.assign {
		if !slices.ContainsFunc(have.assigned, func(x assignment) bool { return x.Principal == a.ID }) {
			add("let it provision "+a.String(), http.MethodPost, "/servicePrincipals/{{provisioning}}/appRoleAssignedTo",
				assignment{Principal: theirs(a.ID), Resource: "{{provisioning}}", Role: theirs(have.userRole())}, nil)
		}
	}
	known := slices.Contains(have.secrets, "SecretToken") && slices.Contains(have.secrets, "BaseAddress")
	switch {
	case !known && w.Secret == nil:
		b.note("Lanyard is not running yet, so the tenant has no secret for provisioning. Start it, and run this again on its machine.")
		return
	case !known:
		b.add(Step{What: "provisioning", Says: "make a secret for it at Lanyard", local: func(ctx context.Context) error {
			secret, err := w.Secret(ctx)
			if err != nil {
				return fmt.Errorf("make a secret for provisioning: %w", err)
			}
			b.setup.values["secret"] = secret
			return nil
		}, shell: []string{`read -rsp 'The secret token, from "lanyard scim secret create --name entra": ' SECRET`}})
		add("tell it where Lanyard is, and the secret", http.MethodPut, "/servicePrincipals/{{provisioning}}/synchronization/secrets", map[string]any{"value": []map[string]string{
			{"key": "BaseAddress", "value": theirs(w.TenantURL)}, {"key": "SecretToken", "value": "{{secret}}"},
		}}, nil)
		if have.principal != nil { // whoever agrees sees who is told
			b.steps[len(b.steps)-1].Details = []string{fmt.Sprintf("to the enterprise application %q, object ID %s", have.principal.DisplayName, have.principal.ID)}
		}
	}
	if have.job == nil || !strings.EqualFold(have.job.Schedule.State, "Active") {
		add("start it", http.MethodPost, "/servicePrincipals/{{provisioning}}/synchronization/jobs/{{job}}/start", nil, nil)
	}
}

// userRole is the role with which people are assigned: the application's own for users, where it has one.
func (st provisioningState) userRole() string {
	if st.principal != nil {
		for _, r := range st.principal.AppRoles {
			if r.IsEnabled && r.Value == "" && r.DisplayName == "User" || r.DisplayName == "User" {
				return r.ID
			}
		}
	}
	return noRole
}
