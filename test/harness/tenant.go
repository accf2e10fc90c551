package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Tenant changes the sample tenant through its Graph API, with the client that `dev --json` names.
type Tenant struct {
	w     *World
	token string
}

// Tenant signs the directory client in.
func (w *World) Tenant() *Tenant {
	w.T.Helper()
	answer := struct {
		Token string `json:"access_token"`
	}{}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {w.Info.Tenant.ClientID}, "client_secret": {w.Info.Tenant.ClientSecret},
		"scope": {"https://graph.microsoft.com/.default"},
	}
	b := w.Browser()
	resp, err := b.HTTP().PostForm(strings.TrimSuffix(w.Info.Tenant.Issuer, "/v2.0")+"/oauth2/v2.0/token", form)
	if err != nil {
		w.T.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		w.T.Fatalf("the tenant gives no token: %d %v", resp.StatusCode, err)
	}
	return &Tenant{w, answer.Token}
}

// Token is the directory client's access token for Graph.
func (t *Tenant) Token() string { return t.token }

// Do sends a Graph request and decodes the answer into out, which may be nil. It returns when the answer is there.
func (t *Tenant) Do(method, path string, in, out any) time.Time {
	t.w.T.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			t.w.T.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequest(method, t.w.Info.Tenant.Graph+path, body)
	if err != nil {
		t.w.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+t.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := t.w.Browser().HTTP().Do(r)
	if err != nil {
		t.w.T.Fatal(err)
	}
	at := time.Now()
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.w.T.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, answer, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.w.T.Fatal(err)
		}
	}
	return at
}

type object struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	UserName    string `json:"userPrincipalName"`
}

// User is a user's object ID.
func (t *Tenant) User(name string) string {
	t.w.T.Helper()
	return t.find("/users", func(o object) bool { return strings.HasPrefix(o.UserName, name+"@") }, name)
}

// Group is a group's object ID.
func (t *Tenant) Group(name string) string {
	t.w.T.Helper()
	return t.find("/groups", func(o object) bool { return o.DisplayName == name }, name)
}

func (t *Tenant) find(path string, is func(object) bool, name string) string {
	t.w.T.Helper()
	var page struct {
		Value []object `json:"value"`
	}
	t.Do(http.MethodGet, path, nil, &page)
	for _, o := range page.Value {
		if is(o) {
			return o.ID
		}
	}
	t.w.T.Fatalf("the tenant has no %s", name)
	return ""
}

// Remove takes a member (an object ID) out of a group, and says when the tenant had answered.
func (t *Tenant) Remove(group, member string) time.Time {
	t.w.T.Helper()
	return t.Do(http.MethodDelete, "/groups/"+group+"/members/"+member+"/$ref", nil, nil)
}

// Add puts a member into a group.
func (t *Tenant) Add(group, member string) time.Time {
	t.w.T.Helper()
	return t.Do(http.MethodPost, "/groups/"+group+"/members/$ref",
		map[string]string{"@odata.id": fmt.Sprintf("%s/directoryObjects/%s", t.w.Info.Tenant.Graph, member)}, nil)
}

// Enable changes accountEnabled.
func (t *Tenant) Enable(user string, enabled bool) time.Time {
	t.w.T.Helper()
	return t.Do(http.MethodPatch, "/users/"+user, map[string]bool{"accountEnabled": enabled}, nil)
}
