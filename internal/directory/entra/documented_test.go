package entra_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// TestDocumentedErrors: what Graph was seen to answer when it cannot go on makes everything be read again; what it cannot
// do at all is not asked for ever.
func TestDocumentedErrors(t *testing.T) {
	var documented []struct {
		Case   string
		Status int
		Body   json.RawMessage
	}
	read(t, "errors.json", &documented)
	for _, e := range documented {
		t.Run(strings.ReplaceAll(e.Case, " ", "-"), func(t *testing.T) {
			if e.Status == 0 { // the report does not say
				e.Status = http.StatusBadRequest
			}
			f, config := newFakeGraph(t, 3)
			f.shake()
			h := open(t, newRows(), config)
			h.ready(t)
			once := true
			f.mu.Lock()
			f.fault = func(r *http.Request) http.HandlerFunc {
				if once && strings.HasSuffix(r.URL.Path, "/users/delta") && r.URL.Query().Has("$deltatoken") {
					once = false
					return status(e.Status, "", string(e.Body))
				}
				return nil
			}
			f.mu.Unlock()
			before := h.source.State().Resyncs
			eventually(t, "the directory is read in spite of it", func() bool { return h.source.Sync(t.Context()) == nil })
			again := h.source.State().Resyncs > before
			if lost := e.Status != http.StatusNotImplemented; again != lost {
				t.Errorf("%d: read whole again: %v", e.Status, again)
			}
		})
	}
}

// TestDocumentedMemberships: getMemberObjects is asked and understood as documented.
func TestDocumentedMemberships(t *testing.T) {
	type lookup struct {
		Request struct {
			URL  string
			Body json.RawMessage
		}
		Response struct{ Body json.RawMessage }
	}
	var documented []lookup
	read(t, "membership-lookups.doc.json", &documented)
	i := slices.IndexFunc(documented, func(e lookup) bool { return strings.HasSuffix(e.Request.URL, "/getMemberObjects") })
	if i < 0 {
		t.Fatal("the documented request is missing")
	}
	e := documented[i]
	var answer struct{ Value []string }
	must(t, json.Unmarshal(e.Response.Body, &answer))
	var asked, wanted any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/token":
			fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer","expires_in":3599}`)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/getMemberObjects"):
			_ = json.NewDecoder(r.Body).Decode(&asked) // compared below
			_, _ = w.Write(e.Response.Body)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	source, err := entra.New(entra.Config{Tenant: tenant, ClientID: "c", Secret: "s", Graph: server.URL + "/v1.0", TokenURL: server.URL + "/token", Sweep: time.Hour})
	must(t, err)
	got, err := source.MemberObjects(t.Context(), user(entrasim.AdaID), true)
	must(t, err)
	must(t, json.Unmarshal(e.Request.Body, &wanted))
	if fmt.Sprint(asked) != fmt.Sprint(wanted) {
		t.Errorf("asked %v, documented %v", asked, wanted)
	}
	var want []identity.GroupID
	for _, id := range answer.Value {
		want = append(want, group(id))
	}
	slices.SortFunc(want, func(a, b identity.GroupID) int { return strings.Compare(a.Object, b.Object) })
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
