package entra

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// A page of a delta becomes a change that can be applied, whatever stands in it.
func FuzzDeltaPage(f *testing.F) {
	for _, s := range []string{
		`{"value":[{"id":"A1","displayName":"Ada","accountEnabled":true,"userPrincipalName":"ada@contoso.example"}],"@odata.deltaLink":"https://graph.example.test/x"}`,
		`{"value":[{"id":"g1","displayName":"G","securityEnabled":true,"members@delta":[{"@odata.type":"#microsoft.graph.user","id":"A1"},{"@odata.type":"#microsoft.graph.group","id":"g1"}]}]}`,
		`{"value":[{"id":"a1","@removed":{"reason":"deleted"}},{"id":"a1","accountEnabled":null}]}`, `{"value":[{"id":"","@removed":null}]}`, `{"value":null}`, `[]`,
		`{"value":[{"id":"a1","accountEnabled":"yes"}]}`,
	} {
		f.Add([]byte(s))
	}
	for _, name := range []string{"groups-delta-sequence.doc.json", "users-delta-sequence.doc.json"} {
		for _, page := range documentedPages(f, name) {
			f.Add(page)
		}
	}
	const tenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"
	base, _ := directory.Empty().With(directory.Change{
		Users:   []directory.User{{ID: identity.UserID{Tenant: tenant, Object: "a1"}, Name: "Ada", Enabled: true}},
		Groups:  []directory.Group{{ID: identity.GroupID{Tenant: tenant, Object: "g1"}, Name: "G", Security: true, Assigned: true}},
		Members: []directory.Membership{{Group: identity.GroupID{Tenant: tenant, Object: "g1"}, Member: directory.Member{User: identity.UserID{Tenant: tenant, Object: "a1"}}}},
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		var page deltaPage
		if page.read(bytes.NewReader(b)) != nil {
			return
		}
		for i := range page.Items {
			page.Items[i].Created = field[time.Time]{} // of no use in what is known
		}
		kept, err := recorded(record(nil, page.Items))
		if err != nil || !slices.EqualFunc(kept, page.Items, sameItem) {
			t.Fatalf("%q is kept as %+v, not %+v: %v", b, kept, page.Items, err)
		}
		_, _ = recorded(b) // whatever is kept
		for _, k := range everyKind {
			g := newGathering(tenant, base, map[string]bool{"g1": true}, map[string]bool{})
			g.page(k, page.Items)
			next, _ := base.With(g.change())
			for u := range next.Users() {
				if u.ID.Object == "" || u.ID.Tenant != tenant {
					t.Fatalf("%q makes the user %+v", b, u.ID)
				}
				next.Groups(u.ID)
			}
			for group := range next.AllGroups() {
				if group.ID.Object == "" || group.ID.Tenant != tenant {
					t.Fatalf("%q makes the group %+v", b, group.ID)
				}
			}
		}
	})
}

// documentedPages are the bodies of the pages that the documentation shows.
func documentedPages(t testing.TB, name string) (pages [][]byte) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Response struct {
			Body json.RawMessage `json:"body"`
		} `json:"response"`
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		pages = append(pages, e.Response.Body)
	}
	return pages
}

func sameItem(a, b deltaItem) bool {
	same := slices.Equal(a.Members, b.Members)
	a.Members, b.Members = nil, nil
	return same && reflect.DeepEqual(a, b)
}

// A notification only rings, and only with the state that its subscription was made with.
func FuzzNotification(f *testing.F) {
	for _, s := range []string{
		`{"value":[{"subscriptionId":"sub-1","clientState":"the random state"}]}`, `{"value":[{"subscriptionId":"sub-1","clientState":"another"}]}`,
		`{"value":[{"subscriptionId":"sub-1","clientState":"the random state","lifecycleEvent":"missed"}]}`, `{"value":[{}]}`, `{`, `[]`, `null`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s := quiet(t)
		if w := post(s, "/hooks/graph", body); w.Code != 202 {
			t.Fatalf("%q is answered %d", body, w.Code)
		}
		strings := map[string]bool{}
		for d := json.NewDecoder(bytes.NewReader([]byte(body))); ; {
			token, err := d.Token()
			if err != nil {
				break
			}
			if text, ok := token.(string); ok {
				strings[text] = true
			}
		}
		knows := strings["sub-1"] && strings["the random state"]
		if rung, _ := s.bell.answer(); rung != 0 && !knows {
			t.Fatalf("%q rings", body)
		}
	})
}
