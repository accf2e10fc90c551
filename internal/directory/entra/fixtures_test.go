package entra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory/entra"
)

// documented serves the documentation's own pages: the first round, then one case after the other.
type documented struct {
	mu     sync.Mutex
	rounds map[string][]exchange // users, groups → pages and cases in order
	next   map[string]int
	hold   bool // answer "no changes" instead of the next case
}

type exchange struct {
	Case     string `json:"case"`
	Status   int    `json:"status"`
	Response struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
	} `json:"response"`
	Body json.RawMessage `json:"body"`
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func (d *documented) serve(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch part := strings.Split(r.URL.Path, "/"); {
	case r.URL.Path == "/token":
		fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer","expires_in":3599}`)
	case strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo"):
		fmt.Fprint(w, `{"value":[]}`)
	case len(part) == 4 && part[3] == "delta":
		here := "http://" + r.Host + r.URL.Path
		i := d.next[part[2]]
		if d.hold || i >= len(d.rounds[part[2]]) {
			fmt.Fprintf(w, `{"value":[],"@odata.deltaLink":"%s?$deltatoken=%d"}`, here, i)
			return
		}
		d.next[part[2]]++
		e := d.rounds[part[2]][i]
		// Only the host differs from what the documentation prints.
		body := strings.ReplaceAll(string(e.Response.Body), "https://graph.microsoft.com/v1.0/"+part[2]+"/delta", here)
		body = strings.ReplaceAll(body, "<...>", strconv.Itoa(i))
		w.WriteHeader(max(e.Response.Status, 200))
		fmt.Fprint(w, body)
	default:
		http.NotFound(w, r)
	}
}

// TestDocumentedSequences reads what the documentation shows, case by case.
func TestDocumentedSequences(t *testing.T) {
	d := &documented{rounds: map[string][]exchange{}, next: map[string]int{}}
	var users, groups []exchange
	read(t, "users-delta-sequence.doc.json", &users)
	read(t, "groups-delta-sequence.doc.json", &groups)
	d.rounds["users"], d.rounds["groups"] = users[:3], groups[:3]
	server := httptest.NewServer(http.HandlerFunc(d.serve))
	defer server.Close()
	h := open(t, newRows(), entra.Config{Tenant: tenant, ClientID: "c", Secret: "s", Graph: server.URL + "/v1.0", TokenURL: server.URL + "/token", Sweep: time.Hour})
	h.ready(t)
	var names []string
	for u := range h.Snapshot().Users() {
		names = append(names, u.Name)
		if u.Enabled {
			t.Errorf("%s is enabled although nothing says so", u.Name)
		}
	}
	slices.Sort(names)
	if want := []string{"Cameron White", "Conf Room Adams", "Delia Dennis", "Diego Sicilian", "Lidia Holloway", "Mallory Cortez", "Patti Fernandez"}; !slices.Equal(names, want) {
		t.Errorf("users %v, want %v", names, want)
	}
	names = nil
	for g := range h.Snapshot().AllGroups() {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	if want := []string{"TestGroup1", "TestGroup2", "TestGroup3", "TestGroup4", "TestGroup5", "TestGroup6"}; !slices.Equal(names, want) {
		t.Errorf("groups %v, want %v", names, want)
	}

	later := func(collection string, cases ...exchange) {
		d.mu.Lock()
		d.rounds[collection], d.next[collection] = cases, 0
		d.mu.Unlock()
		must(t, h.source.Sync(t.Context()))
	}
	const lidia = "25dcffff-959e-4ece-9973-e5d9b800e8cc"
	later("users", find(t, users, "no changes"), find(t, users, "changes incl. soft delete"))
	must(t, h.source.Sync(t.Context()))
	if u, ok := h.Snapshot().User(user(lidia)); !ok || u.Name != "MOD Administrator" {
		t.Errorf("the renamed user is %+v", u)
	}
	// The members of the documentation's groups are no users of its other page: put them there to see them.
	var page strings.Builder
	ids := map[string]bool{}
	for _, e := range groups {
		var body struct {
			Value []struct {
				Members []struct{ ID string } `json:"members@delta"`
			} `json:"value"`
		}
		if err := json.Unmarshal(e.Response.Body, &body); err != nil {
			t.Fatal(err)
		}
		for _, g := range body.Value {
			for _, m := range g.Members {
				ids[m.ID] = true
			}
		}
	}
	for i, id := range slices.Sorted(maps.Keys(ids)) {
		if i > 0 {
			page.WriteByte(',')
		}
		fmt.Fprintf(&page, `{"id":%q,"displayName":"member","accountEnabled":true}`, id)
	}
	var people exchange
	people.Response.Body = json.RawMessage(`{"value":[` + page.String() + `],"@odata.deltaLink":"https://graph.microsoft.com/v1.0/users/delta?$deltatoken=p"}`)
	d.mu.Lock()
	d.rounds["groups"], d.next["groups"] = nil, 0
	d.mu.Unlock()
	later("users", people)
	const group1, group3, both, added, removed = "c2f798fd-f95d-4623-8824-63aec21fffff", "2e5807ce-58f3-4a94-9b37-ffff2e085957",
		"49320844-be99-4164-8167-87ff5d047ace", "37de1ae3-408f-4702-8636-20824abda004", "632f6bb2-3ec8-4c1f-9073-0027a8c68593"
	if !h.in(both, group1) || !h.in(removed, group3) || h.in(added, group3) {
		t.Error("the first round's memberships are wrong")
	}
	later("groups", find(t, groups, "member removed + member added"))
	if !h.in(added, group3) {
		t.Error("the added member is missing")
	}
	large := slices.DeleteFunc(slices.Clone(groups), func(e exchange) bool { return !strings.HasPrefix(e.Case, "large group") })
	later("groups", large...)
	if g, ok := h.Snapshot().Group(group(group3)); !ok || g.Name != "LargeGroup" {
		t.Errorf("the large group is %+v", g)
	}
}

func find(t *testing.T, all []exchange, name string) exchange {
	t.Helper()
	i := slices.IndexFunc(all, func(e exchange) bool { return e.Case == name })
	if i < 0 {
		t.Fatalf("no case %q", name)
	}
	return all[i]
}
