package apiserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestMe(t *testing.T) {
	w := newWorld(t)
	me, err := w.as(barbara).Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	groups := []api.Group{
		{ID: apiTeam.Object, Name: "payments-api-team", Path: []string{"payments-api-team"}},
		{ID: engineers.Object, Name: "payments-engineers", Path: []string{"payments-engineers", "payments-api-team"}},
	}
	if diff := cmp.Diff(groups, me.Groups); diff != "" {
		t.Error("groups (-want +got)", diff)
	}
	holdings := []api.Holding{{
		ID: string(projectID), Name: "payments", Role: "developer", Via: "payments-engineers",
		Path: []string{"payments-engineers", "payments-api-team"},
	}}
	if diff := cmp.Diff(holdings, me.Projects); diff != "" {
		t.Error("projects (-want +got)", diff)
	}
	if me.User != barbara.String() || me.UserName != "barbara@contoso.example" || me.SignIn == nil || me.Session != string(sessionOf(barbara)) {
		t.Errorf("me = %+v", me)
	}
	if me, err := w.as(operator).Me(t.Context()); err != nil || !me.Operator {
		t.Errorf("the operator is %+v, %v", me, err)
	}
	if me, err := w.as(edith).Me(t.Context()); err != nil || !slices.Equal(me.Roles, []string{"auditor"}) {
		t.Errorf("the auditor is %+v, %v", me, err)
	}
}

func TestProjects(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		who   identity.UserID
		role  string
		start bool
	}{{ada, "developer", true}, {linus, "viewer", true}, {edith, "", false}, {operator, "", false}} {
		list, err := w.as(c.who).Projects(t.Context())
		if err != nil || len(list) != 1 {
			t.Errorf("%s sees %v, %v", c.who, list, err)
			continue
		}
		p := list[0]
		if p.Role != c.role || p.CanStart != c.start || len(p.Repositories) != 2 || p.Repositories[0].URL != apiURL || !slices.Equal(p.Apps, []string{"ledger"}) {
			t.Errorf("%s sees %+v", c.who, p)
		}
	}
	if list, err := w.as(mallory).Projects(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("a stranger sees %v, %v", list, err)
	}
}

// raw sends a request as a user and returns status and body.
func (w *world) raw(u identity.UserID, method, path, media, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.site.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	answer, err := w.as(u).HTTP.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

func TestBodiesAreReadStrictly(t *testing.T) {
	w := newWorld(t)
	const media = "application/json"
	for name, c := range map[string]struct {
		media, body string
		status      int
	}{
		"unknown field":  {media, `{"repository":"` + apiURL + `","shell":"sh"}`, 400},
		"repeated field": {media, `{"repository":"` + apiURL + `","repository":"https://git.example.test/x/y"}`, 400},
		"other case":     {media, `{"Repository":"` + apiURL + `"}`, 400},
		"more behind it": {media, `{"repository":"` + apiURL + `"}{}`, 400},
		"cut short":      {media, `{"repository":`, 400},
		"invalid UTF-8":  {media, "{\"repository\":\"\xff\"}", 400},
		"empty":          {media, ``, 400},
		"a form":         {"application/x-www-form-urlencoded", `repository=x`, 400},
		"too large":      {media, `{"ref":"` + strings.Repeat("x", maxBody) + `"}`, 413},
	} {
		if status, body := w.raw(ada, "POST", "/api/v1/workspaces", c.media, c.body); status != c.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if len(w.workspaces.List()) != 0 {
		t.Error("a bad body started a workspace")
	}
}

func TestUnknownParametersAreRefused(t *testing.T) {
	w := newWorld(t)
	for path, wanted := range map[string]int{
		"/api/v1/me?user=x":              400,
		"/api/v1/leases?user=*&user=x":   400,
		"/api/v1/projects?limit=0":       400,
		"/api/v1/projects?limit=501":     400,
		"/api/v1/projects?cursor=!":      400,
		"/api/v1/audit?after=x":          400,
		"/api/v1/workspaces/w-1":         400,
		"/api/v1/nothing":                404,
		"/api/v1/projects?limit=1":       200,
		"/api/v1/audit?after=-1&limit=1": 200,
	} {
		if status, body := w.raw(ada, "GET", path, "", ""); status != wanted {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	var want []string
	for range 7 {
		x, err := w.as(ada).CreateWorkspace(t.Context(), api.Order{Repository: apiURL})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, x.ID)
	}
	slices.Reverse(want) // the newest first
	var got []string
	query := "?limit=3"
	for pages := 0; ; pages++ {
		_, body := w.raw(ada, "GET", "/api/v1/workspaces"+query, "", "")
		var page api.Page[api.Workspace]
		if err := json.Unmarshal([]byte(body), &page); err != nil || pages > 3 {
			t.Fatal(pages, body, err)
		}
		for _, x := range page.Items {
			got = append(got, x.ID)
		}
		if page.Next == "" {
			break
		}
		query = "?limit=3&cursor=" + page.Next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("the pages together (-want +got)", diff)
	}
}

// Rows 18 and 26 of the list of attacks: an address that nobody thought of must not answer.
func TestAttack26EveryRouteRefusesAnonymous(t *testing.T) {
	w := newWorld(t)
	x, err := w.as(ada).CreateWorkspace(t.Context(), api.Order{Repository: apiURL})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{c: Config{}}
	for _, e := range s.endpoints() {
		path := strings.ReplaceAll(e.path, "{id}", x.ID)
		r, err := http.NewRequestWithContext(t.Context(), e.method, w.site.URL+"/api/v1"+path, strings.NewReader(`{"kind":"user","id":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := w.site.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if path == "/workspaces" && e.method == "POST" && answer.StatusCode == http.StatusBadRequest {
			continue // its body is not an order; the one that is, is refused below
		}
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s answers nobody with %d", e.method, path, answer.StatusCode)
		}
	}
	for _, path := range []string{"/leases?user=ada", "/leases?user=*", "/sessions?user=nobody", "/audit?user=ada", "/why?user=ada&action=repo:read&resource=payments/api"} {
		answer, err := w.site.Client().Get(w.site.URL + "/api/v1" + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s answers nobody with %d", path, answer.StatusCode)
		}
	}
	anonymous := &api.Client{URL: w.site.URL, HTTP: w.site.Client()}
	if _, err := anonymous.CreateWorkspace(t.Context(), api.Order{Repository: apiURL}); status(err) != http.StatusUnauthorized {
		t.Error("nobody started a workspace:", err)
	}
}

// Row 11: tokens and cookies are never rendered, neither whole nor hashed.
func TestAttack11NoTokenIsRendered(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/me", "/sessions", "/sessions?user=*", "/leases?user=*", "/audit", "/projects", "/workspaces"} {
		_, body := w.raw(edith, "GET", "/api/v1"+path, "", "")
		for _, u := range people {
			row, signIn, _ := w.engine.Facts().Sessions.Session(sessionOf(u))
			hash, _ := json.Marshal(row.Secret)
			sealed, _ := json.Marshal(signIn.Refresh)
			for _, secret := range []string{
				"refresh-token-of-", "cookie-of-", "tenant-session-of-", string(hash), strings.Trim(string(sealed), `"`), fmt.Sprintf("%x", row.Secret),
			} {
				if strings.Contains(body, secret) {
					t.Errorf("%s renders %q", path, secret)
				}
			}
		}
	}
	list, err := w.as(ada).SignIns(t.Context(), "")
	if err != nil || len(list) != 1 || !list[0].Current || len(list[0].Sessions) != 1 || !list[0].Sessions[0].Current {
		t.Errorf("the own sign-ins are %+v, %v", list, err)
	}
	if _, err := w.as(ada).SignIns(t.Context(), "*"); status(err) != http.StatusForbidden {
		t.Error("a developer lists everybody's sign-ins:", err)
	}
}

// Row 31: what a directory or a repository is called must not move anybody's cursor.
func TestAttack31NamesAreEscaped(t *testing.T) {
	w := newWorld(t)
	evil := "Ada\x1b]0;owned\x07\x7f\u009b31m\u202egnp.\u2066x"
	w.change(directory.Change{Users: []directory.User{{ID: ada, Name: evil, UserName: "ada@contoso.example", Enabled: true}}})
	if _, err := w.as(ada).CreateWorkspace(t.Context(), api.Order{Repository: apiURL}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/me", "/workspaces", "/leases?user=*", "/audit", "/why?action=repo:read&resource=" + apiURL} {
		_, body := w.raw(ada, "GET", "/api/v1"+path, "", "")
		if i := strings.IndexFunc(strings.TrimSuffix(body, "\n"), invisible); i >= 0 {
			t.Errorf("%s holds %q", path, body[max(0, i-10):min(len(body), i+10)])
		}
	}
	me, err := w.as(ada).Me(t.Context())
	if err != nil || me.Name != evil {
		t.Errorf("the name that a program reads is %q, %v", me.Name, err)
	}
}

func TestOpenAPI(t *testing.T) {
	w := newWorld(t)
	code, body := w.raw(mallory, "GET", "/api/openapi.json", "", "")
	var spec struct {
		OpenAPI    string
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &spec); err != nil || code != 200 || spec.OpenAPI != "3.1.0" {
		t.Fatal(code, spec.OpenAPI, err)
	}
	for _, e := range (&server{}).endpoints() {
		if spec.Paths["/api/v1"+e.path][strings.ToLower(e.method)] == nil {
			t.Errorf("%s %s is not described", e.method, e.path)
		}
	}
	for rest := body; ; {
		_, after, found := strings.Cut(rest, `"#/components/schemas/`)
		if !found {
			break
		}
		name, _, _ := strings.Cut(after, `"`)
		if spec.Components.Schemas[name] == nil {
			t.Errorf("the schema %s is missing", name)
		}
		rest = after
	}
}

// invisible reports whether c can move a terminal's cursor or turn the direction of text.
func invisible(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }
