package apiserver

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Provisioning is what the API asks of provision.Service.
type Provisioning interface {
	Status(context.Context) (provision.Status, error)
	Credentials() ([]provision.Credential, map[string]provision.Use)
	CreateCredential(context.Context, provision.NewCredential) (provision.Credential, string, error)
	RevokeCredential(ctx context.Context, which, by string) (provision.Credential, error)
	Forget(ctx context.Context, object, by string) error
	TenantURL() string
	TokenURL() string
}

const maxSecretDays = 3 * 366

func (s *server) provisioningEndpoints() []endpoint {
	if s.c.Provisioning == nil {
		return nil
	}
	read, manage := web.Needs(identity.DirectoryRead), web.Needs(identity.DirectoryProvision)
	return []endpoint{
		{method: http.MethodGet, path: "/provisioning", access: read, on: installation, serve: s.provisioning,
			says: "How the tenant's provisioning service (SCIM) stands, its secrets without the secrets, and what is to be mended", out: api.Provisioning{}},
		{method: http.MethodPost, path: "/provisioning/secrets", access: manage, on: installation, serve: s.makeProvisioningSecret,
			says: "Makes a secret for the provisioning service, which is shown this once", in: api.NewProvisioningSecret{}, out: api.MadeProvisioningSecret{}, status: http.StatusCreated},
		{method: http.MethodDelete, path: "/provisioning/secrets/{id}", access: manage, on: installation, serve: s.revokeProvisioningSecret,
			says: "Revokes a secret, by its ID or its name", out: api.ProvisioningSecret{}},
		{method: http.MethodDelete, path: "/provisioning/deleted/{user}", access: manage, on: installation, serve: s.forgetProvisioned,
			says: "Forgets a user that the provisioning service deleted, who is disabled because of that", status: http.StatusNoContent},
	}
}

func (s *server) provisioning(w http.ResponseWriter, r *http.Request) error {
	st, err := s.c.Provisioning.Status(r.Context())
	if err != nil {
		return err
	}
	c := st.Counts
	p := api.Provisioning{
		TenantURL: s.c.Provisioning.TenantURL(), TokenEndpoint: s.c.Provisioning.TokenURL(),
		Members: st.Members, Users: st.Users, Federated: st.Federated, LastUse: moment(st.LastUse),
		UserCount: c.Users, Inactive: c.Inactive, GroupCount: c.Groups, Memberships: c.Members, StrayUsers: c.Stray, StrayGroups: c.StrayGroups, Deleted: c.Gone,
		Secrets: []api.ProvisioningSecret{}, Findings: []api.ProvisioningFinding{},
	}
	list, uses := s.c.Provisioning.Credentials()
	for _, one := range list {
		p.Secrets = append(p.Secrets, s.shownSecret(one, uses[one.ID]))
	}
	for _, f := range st.Findings {
		p.Findings = append(p.Findings, api.ProvisioningFinding{Problem: f.Problem, Text: f.Text})
	}
	return answer(w, http.StatusOK, p)
}

func (s *server) shownSecret(c provision.Credential, u provision.Use) api.ProvisioningSecret {
	shown := api.ProvisioningSecret{ID: c.ID, Name: c.Name, Kind: string(c.Kind), State: "active", Made: c.Made,
		Expires: moment(c.Expires), Revoked: moment(c.Revoked), Used: moment(u.At), From: u.IP}
	switch {
	case !c.Revoked.IsZero():
		shown.State = "revoked"
	case !c.Expires.IsZero() && !s.c.Now().Before(c.Expires):
		shown.State = "expired"
	}
	return shown
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *server) makeProvisioningSecret(w http.ResponseWriter, r *http.Request) error {
	var n api.NewProvisioningSecret
	if err := read(r, &n); err != nil {
		return err
	}
	if n.Days < 0 || n.Days > maxSecretDays {
		return problem.New(problem.Invalid, "A secret lives up to %d days, or for ever with 0.", maxSecretDays)
	}
	made := provision.NewCredential{Name: n.Name, Kind: provision.CredentialKind(n.Kind), By: s.actor(r)}
	if n.Days > 0 {
		made.Expires = s.c.Now().AddDate(0, 0, n.Days)
	}
	c, secret, err := s.c.Provisioning.CreateCredential(r.Context(), made)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, api.MadeProvisioningSecret{ProvisioningSecret: s.shownSecret(c, provision.Use{}), Secret: secret,
		TenantURL: s.c.Provisioning.TenantURL(), TokenEndpoint: s.c.Provisioning.TokenURL()})
}

func (s *server) revokeProvisioningSecret(w http.ResponseWriter, r *http.Request) error {
	c, err := s.c.Provisioning.RevokeCredential(r.Context(), r.PathValue("id"), s.actor(r))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, s.shownSecret(c, provision.Use{}))
}

// forgetProvisioned takes an object ID, or a name that the directory knows.
func (s *server) forgetProvisioned(w http.ResponseWriter, r *http.Request) error {
	object := r.PathValue("user")
	if u, ok := s.c.Access.Facts().Directory.FindUser(object); ok {
		object = u.ID.Object
	}
	if err := s.c.Provisioning.Forget(r.Context(), object, s.actor(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// actor names who manages, for events that others write.
func (s *server) actor(r *http.Request) string {
	who := web.PrincipalFrom(r.Context())
	if who.Kind == identity.Person {
		return who.User.String()
	}
	return who.Kind.String()
}
