package registration

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
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
)

type provisioningState struct {
	principal *servicePrincipal
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

func (s *Setup) lookProvisioning(ctx context.Context) (st provisioningState, err error) {
	const fields = "$select=id,appId,displayName,tags,appRoles"
	m := s.notes.Made[theProvisioning]
	var list []servicePrincipal
	_, err = s.await(ctx, m.Begun, "the enterprise application for provisioning", func() (bool, error) {
		if m.ID != "" {
			var one servicePrincipal
			found, err := s.get(ctx, "/servicePrincipals/"+m.ID+"?"+fields, &one)
			if found {
				list = []servicePrincipal{one}
			}
			return found, err
		}
		list, err = all[servicePrincipal](ctx, s.graph, "/servicePrincipals?$filter=displayName%20eq%20"+literal(s.wanted.Provisioning.Name)+"&"+fields)
		return len(list) > 0, err
	})
	if err != nil || len(list) == 0 {
		return st, err
	}
	st.principal = &list[0]
	s.values[theProvisioning] = st.principal.ID
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
			method: http.MethodPost, path: "/applicationTemplates/" + customTemplate + "/instantiate", body: map[string]string{"displayName": w.Name},
			makes: theProvisioning, keeps: map[string]string{theProvisioning: "servicePrincipal.id"},
		}})
	}
	if have.job == nil {
		add("give it a provisioning job (SCIM)", http.MethodPost, "/servicePrincipals/{{provisioning}}/synchronization/jobs", map[string]string{"templateId": scimTemplate}, map[string]string{"job": "id"})
	}
	for _, a := range b.state.assign {
		if !slices.ContainsFunc(have.assigned, func(x assignment) bool { return x.Principal == a.ID }) {
			add("let it provision "+a.String(), http.MethodPost, "/servicePrincipals/{{provisioning}}/appRoleAssignedTo",
				assignment{Principal: a.ID, Resource: "{{provisioning}}", Role: have.userRole()}, nil)
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
			{"key": "BaseAddress", "value": w.TenantURL}, {"key": "SecretToken", "value": "{{secret}}"},
		}}, nil)
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
