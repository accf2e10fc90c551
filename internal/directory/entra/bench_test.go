package entra_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
)

// ready pages of users and groups, each with the link to the one after it.
type readyPages map[string][]byte

const (
	benchUsers, benchGroups, benchMembers = 10_000, 1_000, 100 // members of each group
	benchPage                             = 999
)

func guid(kind, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }

// newReadyPages makes the pages of an organisation for a server at base.
func newReadyPages(base string) readyPages {
	p := readyPages{}
	add := func(kind string, items []string) {
		for at, page := 0, 0; at < len(items) || page == 0; page++ {
			end := min(at+benchPage, len(items))
			link := fmt.Sprintf(`"@odata.nextLink":"%s/v1.0/%s/delta?$skiptoken=%d"`, base, kind, page+1)
			if end == len(items) {
				link = fmt.Sprintf(`"@odata.deltaLink":"%s/v1.0/%s/delta?$deltatoken=1"`, base, kind)
			}
			p[fmt.Sprintf("%s %d", kind, page)] = []byte(`{"@odata.context":"x",` + link + `,"value":[` + strings.Join(items[at:end], ",") + `]}`)
			at = end
		}
	}
	var users, groups []string
	for n := range benchUsers {
		users = append(users, fmt.Sprintf(`{"id":"%s","displayName":"Person %d","userPrincipalName":"person%d@contoso.example","mail":"person%d@contoso.example",`+
			`"accountEnabled":true,"signInSessionsValidFromDateTime":"2026-01-02T03:04:05Z"}`, guid(1, n), n, n, n))
	}
	for n := range benchGroups {
		var members []string
		for m := range benchMembers {
			members = append(members, fmt.Sprintf(`{"@odata.type":"#microsoft.graph.user","id":"%s"}`, guid(1, (n*37+m*101)%benchUsers)))
		}
		groups = append(groups, fmt.Sprintf(`{"id":"%s","displayName":"Group %d","securityEnabled":true,"members@delta":[%s]}`, guid(2, n), n, strings.Join(members, ",")))
	}
	add("users", users)
	for at := 0; at < len(groups); at += 10 { // a page holds so many memberships
		link := fmt.Sprintf(`"@odata.nextLink":"%s/v1.0/groups/delta?$skiptoken=%d"`, base, at/10+1)
		if at+10 >= len(groups) {
			link = fmt.Sprintf(`"@odata.deltaLink":"%s/v1.0/groups/delta?$deltatoken=1"`, base)
		}
		p[fmt.Sprintf("groups %d", at/10)] = []byte(`{"@odata.context":"x",` + link + `,"value":[` + strings.Join(groups[at:at+10], ",") + `]}`)
	}
	return p
}

func (p readyPages) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	kind := strings.Split(r.URL.Path, "/")[min(2, strings.Count(r.URL.Path, "/"))]
	switch {
	case r.URL.Path == "/token":
		fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer","expires_in":3599}`)
	case strings.HasPrefix(r.URL.Path, "/v1.0/servicePrincipals"):
		fmt.Fprint(w, `{"value":[]}`)
	case r.URL.Query().Has("$deltatoken"):
		fmt.Fprintf(w, `{"value":[],"@odata.deltaLink":"http://%s%s?$deltatoken=1"}`, r.Host, r.URL.Path)
	default:
		page := r.URL.Query().Get("$skiptoken")
		if page == "" {
			page = "0"
		}
		_, _ = w.Write(p[kind+" "+page])
	}
}

// discarding is a directory that only takes what it is given, so that the reading alone is measured.
type discarding struct{ members int }

func (d *discarding) Apply(_ context.Context, c directory.Change, _ string) error {
	d.members += len(c.Members)
	return nil
}
func (d *discarding) Snapshot() *directory.Snapshot { return directory.Empty() }
func (d *discarding) Cursors() map[string]string    { return map[string]string{} }

// BenchmarkFirstRead reads an organisation whose pages are ready: merely downloading them, downloading and decoding them as
// encoding/json would, and the source's reading up to the change, with pages kept and without.
func BenchmarkFirstRead(b *testing.B) {
	var served readyPages
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { served.serve(w, r) }))
	defer server.Close()
	served = newReadyPages(server.URL)
	download := func(b *testing.B, take func(io.Reader) error) {
		for b.Loop() {
			for _, kind := range []string{"users", "groups"} {
				for page := range 1000 {
					if served[fmt.Sprintf("%s %d", kind, page)] == nil {
						break
					}
					res, err := http.Get(fmt.Sprintf("%s/v1.0/%s/delta?$skiptoken=%d", server.URL, kind, page))
					if err != nil {
						b.Fatal(err)
					}
					if err := take(res.Body); err != nil {
						b.Fatal(err)
					}
					res.Body.Close()
				}
			}
		}
	}
	b.Run("download", func(b *testing.B) {
		download(b, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
	})
	b.Run("download and decode", func(b *testing.B) {
		download(b, func(r io.Reader) error {
			var page struct {
				Value []struct {
					ID          string    `json:"id"`
					Name        string    `json:"displayName"`
					UserName    string    `json:"userPrincipalName"`
					Mail        string    `json:"mail"`
					Enabled     bool      `json:"accountEnabled"`
					Security    bool      `json:"securityEnabled"`
					SignInsFrom time.Time `json:"signInSessionsValidFromDateTime"`
					Members     []struct {
						ID   string `json:"id"`
						Type string `json:"@odata.type"`
					} `json:"members@delta"`
				} `json:"value"`
			}
			return json.NewDecoder(r).Decode(&page)
		})
	})
	for _, with := range []struct {
		name  string
		pages directory.Pages
	}{{"read", nil}, {"read and keep", &pages{}}} {
		b.Run(with.name, func(b *testing.B) {
			for b.Loop() {
				d := &discarding{}
				s, err := entra.New(entra.Config{Tenant: tenant, ClientID: "c", Secret: "s", Graph: server.URL + "/v1.0", TokenURL: server.URL + "/token",
					Directory: d, Pages: with.pages})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Sync(b.Context()); err != nil {
					b.Fatal(err)
				}
				if want := benchGroups * benchMembers; d.members < want*9/10 || d.members > want {
					b.Fatalf("%d memberships were read", d.members)
				}
			}
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
