package server

import (
	"strings"
	"testing"
)

// A host is of one site at most, and in one spelling.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"lanyard.localhost:8080", "t-abcdefghij234567.localhost:8080", "app-ledger.localhost:8080", "t-abcdefghij234567.localhost", "app-.localhost:8080", "app-a.b.localhost:8080", "x.localhost:8080:80", "[::1]:8080"} {
		f.Add(s)
	}
	const base, domain = "http://lanyard.localhost:8080", "localhost"
	terminals, err := newTerminalHosts(base, domain)
	if err != nil {
		f.Fatal(err)
	}
	apps, err := newAppHosts(base, domain)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host string) {
		host = strings.ToLower(host)
		id, terminal := terminals.workspace(host)
		app, ok := apps.app(host)
		if terminal && ok {
			t.Fatalf("%q is a terminal's and an app's", host)
		}
		if terminal && host != "t-"+id.Label()+terminals.suffix || ok && host != apps.host(app) {
			t.Fatalf("%q is %q or %q", host, id, app)
		}
	})
}
