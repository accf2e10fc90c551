package registry

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "the-server's-own-token"

// shelf is a world with registries of each kind, all of them one server that says what it was asked.
type shelf struct {
	*gatewaytest.World
	gate *Gate
	next http.HandlerFunc
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	resources := "resources:\n"
	for _, kind := range []string{"npm", "go", "pypi", "apt", "oci"} {
		resources += fmt.Sprintf("  - registry: %s\n    kind: %[1]s\n    url: http://packages.example.test/base/%[1]s\n    credential: {bearer_file: %s}\n", kind, file)
	}
	s := &shelf{World: gatewaytest.New(t, resources)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.next(w, r) }))
	t.Cleanup(server.Close)
	up := upstream.New(upstream.Config{Log: s.Log, Names: map[string]upstream.Address{"packages.example.test": upstream.Address(server.Listener.Addr().String())}})
	t.Cleanup(up.Close)
	s.gate = New(Config{Access: s.Engine, Facts: s.Engine.Facts, Upstream: up, URL: "https://lanyard.example.test", Log: s.Log})
	return s
}

func (s *shelf) ask(t *testing.T, as identity.Principal, method, path string, headers ...string) (status int, body string, h http.Header) {
	t.Helper()
	server := s.Serve(t, as, web.Route{Path: gateway.AppPrefix, Access: web.Asks("registry:read"), Serve: func(w http.ResponseWriter, r *http.Request) error {
		if err := s.gate.Serve(w, r); err != nil {
			return Shown(w, r, err)
		}
		return nil
	}})
	defer server.Close()
	r, err := http.NewRequest(method, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "127.0.0.1:7070"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	return resp.StatusCode, string(b), resp.Header
}

func TestWhoMayDoWhat(t *testing.T) {
	s := newShelf(t)
	s.next = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.Method, r.RequestURI) }
	for _, c := range []struct {
		who, method, path string
		status            int
		says              string
	}{
		{gatewaytest.Linus, "GET", "/r/npm/left-pad", 200, "GET /base/npm/left-pad"},
		{gatewaytest.Linus, "GET", "/r/npm/@contoso%2flib?write=false", 200, "GET /base/npm/@contoso/lib?write=false"},
		{gatewaytest.Linus, "PUT", "/r/npm/@contoso%2Flib", 403, "registry:publish needs the role developer in project payments"},
		{gatewaytest.Ada, "PUT", "/r/npm/@contoso%2Flib", 200, "PUT /base/npm/@contoso/lib"},
		{gatewaytest.Linus, "POST", "/r/npm/-/npm/v1/security/advisories/bulk", 200, "POST"},
		{gatewaytest.Linus, "GET", "/r/npm/-/package/left-pad/dist-tags", 200, "GET"},
		{gatewaytest.Linus, "PUT", "/r/npm/-/package/left-pad/dist-tags/next", 403, "registry:publish"},
		{gatewaytest.Ada, "GET", "/r/go/example.com/!mixed/@v/v1.0.0+incompatible.zip", 200, "GET /base/go/example.com/!mixed/@v/v1.0.0+incompatible.zip"},
		{gatewaytest.Ada, "PUT", "/r/go/example.com/x", 405, "is only read"},
		{gatewaytest.Ada, "POST", "/r/apt/x", 405, "is only read"},
		{gatewaytest.Ada, "GET", "/r/apt/pool/libstdc%2b%2b_1~2.deb", 200, "GET /base/apt/pool/libstdc%2b%2b_1~2.deb"},
		{gatewaytest.Ada, "POST", "/r/pypi/legacy/", 200, "POST /base/pypi/legacy/"},
		{gatewaytest.Ada, "PATCH", "/r/oci/v2/x/blobs/uploads/1", 200, "PATCH /base/oci/v2/x/blobs/uploads/1"},
		{gatewaytest.Ada, "OPTIONS", "/r/oci/v2/x/tags/list", 405, "are not asked with"},
		{gatewaytest.Linus, "GET", "/r/oci/v2/", 200, "GET /base/oci/v2/"},
		{gatewaytest.Linus, "GET", "/r/oci/v2/_catalog?n=10", 200, "GET /base/oci/v2/_catalog?n=10"},
		{gatewaytest.Linus, "GET", "/r/oci/v2/team/base/manifests/sha256%3A00", 200, "GET /base/oci/v2/team/base/manifests/sha256%3A00"},
		{gatewaytest.Ada, "POST", "/r/oci/v2/team/base/blobs/uploads/", 200, "POST"},
		{gatewaytest.Linus, "GET", "/r/go/sumdb/sum.golang.org/supported", 200, "GET"},
		{gatewaytest.Linus, "GET", "/r/go/example.com/x/@latest", 200, "GET"},
		{gatewaytest.Linus, "GET", "/r/apt/pool/a_1%7erc1.deb", 200, "GET /base/apt/pool/a_1%7erc1.deb"},
		{gatewaytest.Mallory, "GET", "/r/npm/left-pad", 404, "There is no app or registry npm here"},
		{gatewaytest.Ada, "GET", "/r/nothing/left-pad", 404, "There is no app or registry nothing here"},
	} {
		if status, body, _ := s.ask(t, s.Workspace(c.who), c.method, c.path); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
	if len(s.Audit.Find(identity.RegistryPublish, audit.Opened)) == 0 {
		t.Error("what was published is not in the audit log")
	}
}

// Nobody gets an account or a token of the registry's by the server's credential, and nothing of who asks goes there.
func TestAttack11CredentialsOfTheRegistry(t *testing.T) {
	s := newShelf(t)
	var got http.Header
	s.next = func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	ada := s.Workspace(gatewaytest.Ada)
	for _, path := range []string{"npm/v1/tokens", "user/org.couchdb.user:ada", "v1/login", "whoami", "npm/v1/user", "org/contoso/user", "npm/v1/hooks", "package"} {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
			if status, body, _ := s.ask(t, ada, method, "/r/npm/-/"+path); status != 403 || !strings.Contains(body, "there is nothing to sign in to") {
				t.Errorf("%s /-/%s: %d %s", method, path, status, body)
			}
		}
	}
	for _, path := range []string{
		"npm/%2d/npm/v1/tokens", "npm/%2D/whoami", "npm/-%2fwhoami", "npm/%252d/whoami", "npm/-;x/whoami", "npm/-", "npm/-/package/../npm/v1/tokens", "npm/-/package/x/y/dist-tags",
		"npm/-/user/x/dist-tags", "npm/_users", "npm/_session", "npm/%5Fsession",
		"oci/", "oci/token", "oci/service/token?service=x", "oci/api/v2.0/users", "oci/V2/x/tags/list", "oci/v2/token", "oci/v2/auth", "oci/v2/x/token", "oci/v2x/x/tags/list", "oci/v2/%2574oken",
		"oci/v2/x/manifests/1;a", "oci/%762/token", "pypi/_/oidc/mint-token", "pypi/%2blogin", "pypi/manage/account/", "go/admin", "go/api/security/token",
	} {
		for _, method := range []string{"GET", "POST"} {
			if status, body, _ := s.ask(t, ada, method, "/r/"+path); status != 403 && status != 400 && status != 405 && status != 307 {
				t.Errorf("%s %s: %d %s", method, path, status, body)
			}
		}
	}
	if got != nil {
		t.Error("the registry was asked")
	}
	_, _, answer := s.ask(t, ada, "GET", "/r/npm/x", "Authorization", "Bearer none", "X-Forwarded-For", "10.1.2.3", "Npm-Otp", "123456", "Npm-Command", "ci", "Lanyard-Assertion", "x")
	if got.Get("Authorization") != "Bearer "+secret || got.Get("X-Forwarded-For")+got.Get("Npm-Otp")+got.Get("Lanyard-Assertion") != "" || got.Get("Npm-Command") != "ci" {
		t.Errorf("the registry was told %v", got)
	}
	if answer.Get("Set-Cookie")+answer.Get("WWW-Authenticate") != "" {
		t.Errorf("the answer says %v", answer)
	}
}

// A path has one reading: an encoded slash is npm's own, after a scope, and nothing else.
func TestAttack13PathsOfPackages(t *testing.T) {
	s := newShelf(t)
	s.next = func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the registry was asked %s", r.RequestURI) }
	for _, path := range []string{
		"/r/npm/a%2fb", "/r/npm/@a%2f..", "/r/npm/@a%2fb%2fc", "/r/npm/@a%2f%2e%2e", "/r/npm/@..%2fb", "/r/npm/../x", "/r/npm/%2e%2e/x", "/r/npm/@a%252fb", "/r/npm//x",
		"/r/npm/@a%2fb/..;/x", "/r/npm/@%2f/x", "/r/npm/a%5cb",
	} {
		if status, body, _ := s.ask(t, s.Workspace(gatewaytest.Ada), "GET", path); status != 400 && status != 307 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestAnswersLeadBack(t *testing.T) {
	s := newShelf(t)
	index := `{"dist": {"tarball": "http://packages.example.test/base/npm/x/-/x-1.tgz"}, "home": "http://packages.example.test/", "other": "http://elsewhere.example.test/base/npm/"}`
	s.next = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Accept-Encoding") != "":
			t.Errorf("the index may come as %s", r.Header.Get("Accept-Encoding"))
		case strings.HasSuffix(r.URL.Path, "/moved"):
			w.Header().Set("Location", "http://packages.example.test/base/npm/x")
			w.WriteHeader(http.StatusFound)
			return
		case strings.HasSuffix(r.URL.Path, ".tgz"):
			w.Header().Set("Content-Type", "application/octet-stream")
		default:
			w.Header().Set("Content-Type", "application/vnd.npm.install-v1+json; charset=utf-8")
			w.Header().Set("ETag", `"1"`)
		}
		_, _ = io.WriteString(w, index)
	}
	ada := s.Workspace(gatewaytest.Ada)
	if _, body, h := s.ask(t, ada, "GET", "/r/npm/x"); !strings.Contains(body, `"http://127.0.0.1:7070/r/npm/x/-/x-1.tgz"`) ||
		!strings.Contains(body, `"http://packages.example.test/"`) || !strings.Contains(body, `"http://elsewhere.example.test/base/npm/"`) || h.Get("Etag") != "" {
		t.Errorf("%v %s", h, body)
	}
	if _, body, _ := s.ask(t, ada, "GET", "/r/npm/x/-/x-1.tgz"); body != index {
		t.Errorf("a package is changed: %s", body)
	}
	if _, _, h := s.ask(t, ada, "GET", "/r/npm/moved"); h.Get("Location") != "http://127.0.0.1:7070/r/npm/x" {
		t.Errorf("the redirect leads to %s", h.Get("Location"))
	}
	if _, body, _ := s.ask(t, s.Browser(gatewaytest.Ada), "GET", "/r/npm/x"); !strings.Contains(body, `"https://lanyard.example.test/r/npm/x/-/x-1.tgz"`) {
		t.Errorf("elsewhere than in a workspace: %s", body)
	}
}

func TestProgramsShowTheReason(t *testing.T) {
	s := newShelf(t)
	mallory := s.Workspace(gatewaytest.Mallory)
	if _, _, h := s.ask(t, mallory, "GET", "/r/npm/x", "Npm-Command", "ci"); !strings.Contains(h.Get("Npm-Notice"), "There is no app or registry npm here") {
		t.Errorf("npm is told %v", h)
	}
	if status, body, h := s.ask(t, mallory, "GET", "/r/go/example.com/@v/list", "User-Agent", "Go-http-client/1.1"); status != 404 || !strings.HasPrefix(body, "There is no app or registry go here") ||
		!strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		t.Errorf("go is told %d %s", status, body)
	}
}

// An answer that is cut is never ended as if it were whole.
func TestAnswersAreCut(t *testing.T) {
	s := newShelf(t)
	begun, end := make(chan struct{}), make(chan struct{})
	s.next = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = io.WriteString(w, strings.Repeat("x", 64<<10))
		_ = http.NewResponseController(w).Flush()
		close(begun)
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}
	defer close(end)
	server := s.Serve(t, s.Workspace(gatewaytest.Ada), web.Route{Path: gateway.AppPrefix, Access: web.Asks("registry:read"), Serve: s.gate.Serve})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(server.URL + "/r/npm/x/-/x-1.tgz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-begun
	if n := s.Leave(); n != 1 {
		t.Errorf("%d leases were cut", n)
	}
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("an answer of %d bytes looks whole", len(b))
	}
}

func TestReplacer(t *testing.T) {
	in := strings.Repeat(`x"old/`, 5) + `"ol` + strings.Repeat("y", 70000) + `"old/"old` + `"old/z"old`
	want := strings.ReplaceAll(in, `"old/`, `"fresh/`)
	for _, from := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
		got, err := io.ReadAll(newReplacer(from, `"old/`, `"fresh/`))
		if err != nil || !bytes.Equal(got, []byte(want)) {
			t.Errorf("%d bytes for %d, %v", len(got), len(want), err)
		}
	}
}

func TestOncePaths(t *testing.T) {
	for path, want := range map[string]string{
		"/r/npm/@a/b/-/b-1.tgz": "/@a/b/-/b-1.tgz", "/@a/b/-/b-1.tgz": "/@a/b/-/b-1.tgz",
		"/r/npm": "/r/npm", "/r/-/r-1.tgz": "/r/-/r-1.tgz", "/r/npm/-/npm/v1/tokens": "/r/npm/-/npm/v1/tokens",
	} {
		if got := once(path, "/r/npm/"); got != want {
			t.Errorf("%s is asked for as %s", path, got)
		}
	}
}
