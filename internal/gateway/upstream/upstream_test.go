package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

type tokens struct{ asked string }

func (t *tokens) AccessToken(_ context.Context, p identity.Principal, scope string) (string, error) {
	if p.User.IsZero() {
		return "", problem.New(problem.Denied, "Nobody is signed in.")
	}
	t.asked = scope
	return "token-of-" + p.User.Object, nil
}

// behind is a server that says what Authorization it got, and the Upstream that reaches it as app.example.test.
func behind(t *testing.T, status int) (*Upstream, *tokens, *strings.Builder) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
			return
		}
		w.WriteHeader(status)
		fmt.Fprint(w, strings.Join(r.Header.Values("Authorization"), "|"))
	}))
	t.Cleanup(server.Close)
	var log strings.Builder
	people := &tokens{}
	u := New(Config{
		Names:  map[string]Address{"app.example.test": Address(server.Listener.Addr().String())},
		Tokens: people, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	t.Cleanup(u.Close)
	return u, people, &log
}

func send(t *testing.T, u *Upstream, url string, c project.Credential) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Basic the-callers-own")
	ada := identity.Principal{Kind: identity.Person, User: identity.UserID{Tenant: "t", Object: "ada"}}
	resp, err := u.Send(r, Target{Name: "the app sample", Principal: ada, Credential: c})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusFound {
		return "moved", nil
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestCredentials(t *testing.T) {
	u, people, _ := behind(t, http.StatusOK)
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, url := range []string{"http://app.example.test/x", "https://app.example.test/x", "https://App.Example.Test:8443/x"} {
		if got, err := send(t, u, url, project.Credential{}); got != "" || err != nil {
			t.Errorf("%s without a credential: %q, %v", url, got, err)
		}
	}
	write("  user:secret\n\n")
	if got, err := send(t, u, "https://app.example.test/x", project.Credential{BasicFile: file}); got != "Basic dXNlcjpzZWNyZXQ=" || err != nil {
		t.Errorf("basic: %q, %v", got, err)
	}
	write("one\n")
	if got, err := send(t, u, "https://app.example.test/x", project.Credential{BearerFile: file}); got != "Bearer one" || err != nil {
		t.Errorf("bearer: %q, %v", got, err)
	}
	write("two\n")
	if got, err := send(t, u, "https://app.example.test/x", project.Credential{BearerFile: file}); got != "Bearer two" || err != nil {
		t.Errorf("bearer after a change: %q, %v", got, err)
	}
	if got, err := send(t, u, "https://app.example.test/x", project.Credential{EntraScope: "api://git/.default"}); got != "Bearer token-of-ada" || err != nil || people.asked != "api://git/.default" {
		t.Errorf("the person's: %q, %v", got, err)
	}
	for _, bad := range []string{"", "two\nlines:x", "no colon"} {
		write(bad)
		_, err := send(t, u, "https://app.example.test/x", project.Credential{BasicFile: file})
		if problem.KindOf(err) != problem.BadUpstream || !strings.Contains(problem.Message(err), "an administrator") || strings.Contains(problem.Message(err), file) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestRefusedCredentialIsSaidWithoutIt(t *testing.T) {
	u, _, log := behind(t, http.StatusUnauthorized)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("user:hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []project.Credential{{BasicFile: file}, {BearerFile: file}, {EntraScope: "s"}} {
		_, err := send(t, u, "https://app.example.test/x", c)
		if problem.KindOf(err) != problem.BadUpstream || !strings.Contains(problem.Message(err), "refused") || !strings.Contains(problem.Message(err), "the app sample") {
			t.Errorf("%+v: %v", c, err)
		}
		for _, secret := range []string{"hunter2", "dXNlcjpodW50ZXIy", "token-of-ada"} {
			if strings.Contains(fmt.Sprint(err), secret) || strings.Contains(log.String(), secret) {
				t.Errorf("%+v: the secret is in %v or in the log:\n%s", c, err, log)
			}
		}
	}
	if body, err := send(t, u, "https://app.example.test/x", project.Credential{}); err != nil || body != "" {
		t.Errorf("without a credential the answer is the upstream's own: %q, %v", body, err)
	}
}

// TestAttack21ServerSideRequestForgery: no upstream leads to a metadata service: not by its address, not by the
// answer of a name server, not by a redirect.
func TestAttack21ServerSideRequestForgery(t *testing.T) {
	u, _, _ := behind(t, http.StatusOK)
	for _, host := range []string{
		"169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[::a9fe:a9fe]", "[fd00:ec2::254]", "[fd20:ce::254]",
		"168.63.129.16", "100.100.100.200", "0.0.0.0", "[::]", "224.0.0.1", "[ff02::1]", "255.255.255.255", "192.0.0.192",
	} {
		_, err := send(t, u, "http://"+host+"/", project.Credential{})
		if err == nil || !strings.Contains(errors.Unwrap(err).Error(), "never dialled") {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, ip := range []string{"10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "8.8.8.8", "2001:4860:4860::8888"} {
		if err := check(netip.MustParseAddr(ip)); err != nil {
			t.Errorf("%s, which a project may name: %v", ip, err)
		}
	}
	if got, err := send(t, u, "http://app.example.test/moved", project.Credential{}); got != "moved" || err != nil {
		t.Errorf("a redirect was followed: %q, %v", got, err)
	}
}

// TestAttack21NameThatResolvesToMetadata: a name server that answers with a forbidden address.
func TestAttack21NameThatResolvesToMetadata(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go answerWithMetadata(server)
	u := New(Config{Log: slog.New(slog.DiscardHandler), Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
		},
	}})
	_, err = send(t, u, "http://rebound.example.test./", project.Credential{})
	if err == nil || !strings.Contains(errors.Unwrap(err).Error(), "169.254.169.254 is an address that is never dialled") {
		t.Errorf("%v, cause %v", err, errors.Unwrap(err))
	}
}

// answerWithMetadata answers each question for an IPv4 address with 169.254.169.254, and others with nothing.
func answerWithMetadata(conn net.PacketConn) {
	buf := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		query := buf[:n]
		end := 12
		for end < n && query[end] != 0 {
			end += int(query[end]) + 1
		}
		end += 5 // the root label, type and class
		if end > n {
			continue
		}
		reply := append([]byte{}, query[:end]...)
		reply[2], reply[3] = 0x84, 0
		reply[10], reply[11] = 0, 0 // no additional records
		if query[end-3] == 1 {      // type A
			reply[7] = 1
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 169, 254, 169, 254)
		}
		if _, err := conn.WriteTo(reply, from); err != nil {
			return
		}
	}
}

func TestUnreachableUpstream(t *testing.T) {
	u, _, _ := behind(t, http.StatusOK)
	_, err := send(t, u, "http://127.0.0.1:1/", project.Credential{})
	if problem.KindOf(err) != problem.BadUpstream || !strings.Contains(problem.Message(err), "it cannot be reached") {
		t.Errorf("%v", err)
	}
	_, err = send(t, u, "http://no-such-name.invalid/", project.Credential{})
	if problem.KindOf(err) != problem.BadUpstream {
		t.Errorf("%v", err)
	}
}

// TestAttack21HostsOfConnections: what Lanyard itself asks of a Git host is dialled as carefully.
func TestAttack21HostsOfConnections(t *testing.T) {
	u, _, _ := behind(t, http.StatusOK)
	for _, host := range []string{"169.254.169.254", "[fd00:ec2::254]", "168.63.129.16"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/login/oauth/access_token", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Fetch(r); err == nil || !strings.Contains(err.Error(), "never dialled") {
			t.Errorf("%s: %v", host, err)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://app.example.test/moved", nil)
	if resp, err := u.Fetch(r); err != nil || resp.StatusCode != http.StatusFound && resp.StatusCode/100 != 3 {
		t.Errorf("a redirect was followed: %v", err)
	} else {
		resp.Body.Close()
	}
}
