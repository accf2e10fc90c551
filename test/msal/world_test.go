// Package msal tests that Microsoft's own client libraries, as they are published, take the embedded tenant for Entra ID:
// over TLS with a private certificate authority, in every flow that they have and Lanyard's people use.
package msal

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	graphDefault = "https://graph.microsoft.com/.default"
	graphRead    = "User.Read"
	apiScope     = "api://payments/access_as_user"

	desktopID = "0d1f2c3b-4a59-4e68-9f7a-8b6c5d4e3f21" // public, of several organisations
	batchID   = "1e2f3d4c-5b6a-4f79-8a8b-9c7d6e5f4a32" // no people: secret, certificate, federated credential
	webID     = "2f3a4e5d-6c7b-4a8a-9b9c-ad8e7f6a5b43" // a web application
	apiID     = "3a4b5f6e-7d8c-4b9b-acad-be9f8a7b6c54" // an API that calls Graph as its caller

	secret = "a-secret-of-the-test's-apps"

	subject, audience = "repo:payments/api:ref:refs/heads/main", "api://AzureADTokenExchange"
)

// world is a tenant over TLS, at https://localhost, with the apps that the clients play.
type world struct {
	*entrasim.Tenant
	t      *testing.T
	url    string
	ca     *authority
	app    appKey
	issuer *workloads
	http   *http.Client // trusts the authority; has no cookies, follows no redirect
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ca := newAuthority(t)
	w := &world{t: t, ca: ca, app: newAppKey(t, ca), issuer: newWorkloads(t)}
	server := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.url = "https://localhost:" + port
	org := entrasim.Contoso(entrasim.Sample{})
	org.Apps = append(org.Apps, w.apps()...)
	if w.Tenant, err = entrasim.New(entrasim.Config{URL: w.url, Organisation: org}); err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = w.Tenant
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.server("localhost")}}
	server.StartTLS()
	w.http = &http.Client{
		Timeout:       harness.Wait,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool()}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		server.Close()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) apps() []entrasim.App {
	return []entrasim.App{
		{
			ClientID: desktopID, PrincipalID: "4b5c6a7f-8e9d-4cac-bdbe-cfa09b8c7d65", Name: "Payments desktop", Public: true, MultiTenant: true,
			RedirectURIs: []string{"http://localhost"}, Consented: []string{entrasim.GraphAppID, apiID},
		},
		{
			ClientID: batchID, PrincipalID: "5c6d7b8a-9fae-4dbd-8ecf-d0b1ac9d8e76", Name: "Payments batch", Secret: secret,
			Certificates: [][]byte{w.app.cert.Raw}, GraphRoles: []string{"User.Read.All", "Group.Read.All", "Application.ReadWrite.All"},
			Federated: []entrasim.FederatedCredential{{Name: "ci", Issuer: w.issuer.url, Subject: subject, Audience: audience}},
		},
		{
			ClientID: webID, PrincipalID: "6d7e8c9b-a0bf-4ece-9fd0-e1c2bdae9f87", Name: "Payments web", Secret: secret,
			RedirectURIs: []string{"https://payments.example.test/signed-in"}, Consented: []string{entrasim.GraphAppID, apiID},
			OptionalClaims: []string{"sid", "auth_time", "login_hint"},
		},
		{
			ClientID: apiID, PrincipalID: "7e8f9dac-b1ca-4fdf-a0e1-f2d3cebfa098", Name: "Payments API", Secret: secret,
			IdentifierURIs: []string{"api://payments"}, Scopes: []string{"access_as_user"}, Consented: []string{entrasim.GraphAppID},
			AppRoles:    []entrasim.AppRole{{ID: "8f9aaebd-c2db-4aea-b1f2-03e4dfc0b1a9", Value: "Payments.Post", DisplayName: "Posts payments"}},
			Assignments: []entrasim.Assignment{{ID: "post", PrincipalID: "5c6d7b8a-9fae-4dbd-8ecf-d0b1ac9d8e76", AppRoleID: "8f9aaebd-c2db-4aea-b1f2-03e4dfc0b1a9"}},
		},
	}
}

// at is the authority that clients are given.
func (w *world) at(tenant string) string { return w.url + "/" + tenant }

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), harness.Wait)
	w.t.Cleanup(cancel)
	return ctx
}

// person plays ada in a browser that an app opens at the tenant, up to the app's own page: to which she is sent by a
// redirect or by a form that sends itself.
func (w *world) person(link string) error {
	answer, err := w.submit(link, url.Values{"action": {"signin"}, "username": {"ada"}, "password": {"lanyard-ada"}})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	var arrived *http.Response
	if answer.StatusCode == http.StatusFound {
		arrived, err = w.http.Get(answer.Header.Get("Location"))
	} else if to, fields := selfSending(page); to != "" {
		arrived, err = w.submit(to, fields)
	} else {
		return fmt.Errorf("the tenant answers %s: %s", answer.Status, page)
	}
	if err != nil {
		return err
	}
	defer arrived.Body.Close()
	if arrived.StatusCode != http.StatusOK {
		return fmt.Errorf("the app answers %s", arrived.Status)
	}
	return nil
}

func (w *world) submit(to string, fields url.Values) (*http.Response, error) {
	r, err := http.NewRequestWithContext(w.ctx(), http.MethodPost, to, strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.http.Do(r)
}

// selfSending finds the form of a page in the response mode form_post, and what it sends.
func selfSending(page []byte) (string, url.Values) {
	document, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return "", nil
	}
	to, fields := "", url.Values{}
	for n := range document.Descendants() {
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
		}
		switch {
		case n.Data == "form" && attributes["name"] == "hiddenform":
			to = attributes["action"]
		case n.Data == "input" && attributes["type"] == "hidden":
			fields.Set(attributes["name"], attributes["value"])
		}
	}
	return to, fields
}

// device plays ada on the page for codes.
func (w *world) device(page, code string) error {
	return entrasim.SignInDevice(w.ctx(), w.http, page, code, "ada", "lanyard-ada")
}

// claims are what a token says. Its signature is verified elsewhere, and by Graph.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT of three parts but of %d", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	out := map[string]any{}
	if err == nil {
		err = json.Unmarshal(payload, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// forPerson checks a token that an app has got for ada.
func (w *world) forPerson(t *testing.T, token, client, aud, azpacr string) {
	t.Helper()
	c := claims(t, token)
	for name, want := range map[string]any{"oid": entrasim.AdaID, "azp": client, "aud": aud, "azpacr": azpacr, "tid": w.TenantID(), "iss": w.Issuer(), "ver": "2.0"} {
		if c[name] != want {
			t.Errorf("%s is %v, want %v", name, c[name], want)
		}
	}
	if aud == entrasim.GraphAppID {
		if me := w.graph(t, token, "/me"); me["displayName"] != "Ada Lovelace" {
			t.Errorf("Graph says that I am %v", me)
		}
	}
}

// forApp checks a token that an app has got for itself.
func (w *world) forApp(t *testing.T, token, azpacr string) {
	t.Helper()
	c := claims(t, token)
	if c["azp"] != batchID || c["azpacr"] != azpacr || c["sub"] != c["oid"] || c["scp"] != nil {
		t.Errorf("claims %v", c)
	}
	if people, _ := w.graph(t, token, "/users?$top=2")["value"].([]any); len(people) != 2 {
		t.Errorf("Graph lists %v", people)
	}
}

func (w *world) graph(t *testing.T, token, path string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(w.ctx(), http.MethodGet, w.GraphURL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := w.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("Graph answers %s with %s %v", path, answer.Status, out)
	}
	return out
}

// roles are an app token's roles.
func roles(t *testing.T, token string) []string {
	t.Helper()
	var all []string
	list, _ := claims(t, token)["roles"].([]any)
	for _, r := range list {
		all = append(all, r.(string))
	}
	return slices.Sorted(slices.Values(all))
}

// temporary is a file with this content.
func temporary(t *testing.T, name string) string { return filepath.Join(t.TempDir(), name) }
