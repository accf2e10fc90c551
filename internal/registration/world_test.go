package registration_test

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/registration"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenantID = "0f3a1c52-7d0e-4b1a-9c53-2f1f6a4f9e10"
	toolsID  = "b7d1c0de-5a3f-4f0c-8d6d-5d3b5a0f4c11"
	adaID    = "0a0a0a0a-0000-4000-8000-000000000001"
	teamID   = "0b0b0b0b-0000-4000-8000-000000000001"
	url0     = "https://lanyard.contoso.example"
)

// world is a tenant in which nobody has registered anything but the tool that registers.
type world struct {
	*entrasim.Tenant
	t     *testing.T
	url   string
	files string
	token string

	transport *http.Transport

	mu         sync.Mutex
	configured map[string]string // client IDs that the configuration has by now, by the name of the registration
}

func newWorld(t *testing.T, permissions ...string) *world {
	t.Helper()
	w := &world{t: t, files: t.TempDir(), transport: &http.Transport{MaxIdleConnsPerHost: 8}, configured: map[string]string{}}
	t.Cleanup(w.transport.CloseIdleConnections)
	if permissions == nil {
		permissions = []string{"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "Synchronization.ReadWrite.All", "Directory.Read.All", "User.Read.All", "Group.Read.All"}
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Host = strings.TrimPrefix(w.url, "http://")
		w.Tenant.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	var err error
	w.Tenant, err = entrasim.New(entrasim.Config{URL: w.url, Organisation: entrasim.Organisation{
		TenantID: tenantID, Name: "Contoso", Domain: "contoso.example",
		Users:  []entrasim.User{{ID: adaID, UserPrincipalName: "ada@contoso.example", DisplayName: "Ada Lovelace", AccountEnabled: true, Password: "x"}},
		Groups: []entrasim.Group{{ID: teamID, DisplayName: "it's the team", Members: []string{adaID}}},
		Apps:   []entrasim.App{{ClientID: toolsID, PrincipalID: "b7d1c0de-5a3f-4f0c-8d6d-5d3b5a0f4c12", Name: "Tools", Secret: "tools", GraphRoles: permissions}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Tenant.Close(); err != nil {
			t.Error(err)
		}
	})
	w.token = w.signIn()
	return w
}

// signIn is a token for Graph of the tool that registers.
func (w *world) signIn() string {
	w.t.Helper()
	resp, err := (&http.Client{Transport: w.transport}).PostForm(w.url+"/"+tenantID+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {toolsID}, "client_secret": {"tools"}, "scope": {"https://graph.microsoft.com/.default"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		w.t.Fatalf("no token: %d %v", resp.StatusCode, err)
	}
	return answer.Token
}

// wanted is an ordinary Lanyard.
func (w *world) wanted() registration.Wanted {
	application, delegated := registration.Permissions(registration.Reads{Users: true, Groups: true, SignIns: true})
	pem := filepath.Join(w.files, "entra.pem")
	return registration.Wanted{
		Name: "Lanyard", URL: url0, RedirectURIs: []string{url0 + "/login/callback/entra", url0 + "/logout/done"}, LogoutURL: url0 + "/logout/frontchannel",
		Application: application, Delegated: delegated, Roles: registration.Roles(),
		Credentials: []registration.Credential{{Files: credential.Files{Certificate: pem, Key: pem}}},
		Assign:      []registration.Assign{{Who: "ada@contoso.example", Role: registration.AdminRole}, {Who: "it's the team"}},
	}
}

func (w *world) setup(wanted registration.Wanted) *registration.Setup {
	return w.setupBy(wanted, nil)
}

// setupBy has something between it and the tenant, or nil.
func (w *world) setupBy(wanted registration.Wanted, between *cut) *registration.Setup {
	w.t.Helper()
	w.mu.Lock()
	wanted.ClientID = cmp.Or(wanted.ClientID, w.configured[wanted.Name])
	w.mu.Unlock()
	client := &http.Client{Timeout: 10 * time.Second, Transport: w.transport}
	if between != nil {
		between.next = w.transport
		client.Transport = between
	}
	s, err := registration.New(registration.Config{
		Wanted: wanted, Graph: w.url + "/v1.0", HTTP: client, NotesFile: filepath.Join(w.files, wanted.Name+" notes"), Patience: 6 * time.Second, Pause: 10 * time.Millisecond,
		Token: func(context.Context, bool) (string, error) { return w.token, nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// plan is what is left to do.
func (w *world) plan(wanted registration.Wanted) registration.Plan {
	w.t.Helper()
	p, err := w.setup(wanted).Plan(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) apply(wanted registration.Wanted) (registration.Done, error) {
	w.t.Helper()
	s := w.setup(wanted)
	done, err := s.Apply(w.t.Context(), func(registration.Step) {})
	if err == nil {
		w.mu.Lock()
		w.configured[wanted.Name] = done.ClientID
		w.mu.Unlock()
		err = s.Finish()
	}
	return done, err
}

// get asks Graph.
func (w *world) get(path string, into any) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+"/v1.0"+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	resp, err := (&http.Client{Transport: w.transport}).Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
	}
}
