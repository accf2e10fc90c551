package gitproxy

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/connection/githubtest"
	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

// github is a gateway before a host with GitHub Apps, whose repositories are real.
type github struct {
	*scene
	host     *githubtest.GitHub
	connects *connection.Service
}

const pagesURL = "https://lanyard.example.test"

func newGitHubScene(t *testing.T) *github {
	t.Helper()
	dir := t.TempDir()
	g := &github{scene: &scene{root: filepath.Join(dir, "repositories")}, host: githubtest.New(t)}
	name := strings.TrimPrefix(g.host.URL, "http://")
	g.World = gatewaytest.New(t, "repositories:\n"+
		"  - url: https://"+name+"/payments/api\n    credential: {github_user: github}\n"+
		"  - url: https://"+name+"/shop/web\n    credential: {github_app: github}\n"+
		"  - url: https://evil.example.test/shop/web\n    credential: {github_user: github}\n")
	if err := gitserver.Seed(t.Context(), g.root, gitserver.Samples()...); err != nil {
		t.Skipf("no Git here: %v", err)
	}
	server, err := gitserver.New(gitserver.Config{
		Root: g.root, Hooks: filepath.Join(dir, "hooks"), LogFile: filepath.Join(dir, "log"), Accept: everybody{}, Log: g.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.host.Git = server
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	rows := storetest.SQLite(t).Open(t, "test")
	app := g.host.App(t)
	g.connects = connection.New(connection.Config{
		Apps: []connection.App{app}, URL: pagesURL, HTTP: g.host.Client(), Rows: rows, Once: rows, Sealer: sealer, Log: g.Log,
	})
	up := upstream.New(upstream.Config{
		Names: map[string]upstream.Address{name: upstream.Address(name), "evil.example.test": upstream.Address(name)}, Connections: g.connects, Log: g.Log,
	})
	t.Cleanup(up.Close)
	g.handler = New(Config{Access: g.Engine, Facts: g.Engine.Facts, Upstream: up, Log: g.Log})
	return g
}

type everybody struct{}

func (everybody) Challenge() string { return "" }
func (everybody) Caller(r *http.Request) (gitserver.Caller, error) {
	return gitserver.Caller{ID: "somebody", Name: "somebody"}, nil
}

// connect goes through the pages as Ada's browser does.
func (g *github) connect(t *testing.T) {
	t.Helper()
	routes, err := g.connects.Routes()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, route := range routes {
		mux.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, r *http.Request) {
			who := identity.Principal{Kind: identity.Person, User: gatewaytest.User(gatewaytest.Ada), Session: "s-ada"}
			if err := route.Serve(w, r.WithContext(web.WithPrincipal(r.Context(), who))); err != nil {
				t.Error(err)
			}
		})
	}
	cookie, next := "", "/connections/github/start"
	for range 4 {
		r := httptest.NewRequest(http.MethodGet, pagesURL+next, nil)
		r.Header.Set("Cookie", cookie)
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, r)
		to := rec.Header().Get("Location")
		if to == "/connections" {
			return
		}
		cookie = strings.Split(rec.Header().Get("Set-Cookie"), ";")[0]
		client := g.host.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := client.Get(to)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		next = strings.TrimPrefix(resp.Header.Get("Location"), pagesURL)
	}
	t.Fatal("the connection was not made")
}

func (g *github) address(t *testing.T, person string) string {
	return strings.TrimSuffix(g.serve(t, person), "git.example.test") + strings.TrimPrefix(g.host.URL, "http://")
}

// TestPersonsConnection: git is told where to connect and where to renew, and never asked for a password.
func TestPersonsConnection(t *testing.T) {
	g := newGitHubScene(t)
	c := newClient(t)
	url := g.address(t, gatewaytest.Ada) + "/payments/api"
	says := func(want string, args ...string) {
		t.Helper()
		out, err := c.try(args...)
		t.Log(out)
		if err == nil || !strings.Contains(out, want) || strings.Contains(out, "Username") {
			t.Errorf("git does not say %q", want)
		}
	}
	start := "open " + pagesURL + "/connections/github"
	says("You are not connected to "+strings.TrimPrefix(g.host.URL, "http://")+" yet: "+start, "clone", url, "api")
	g.connect(t)
	c.must("clone", "--quiet", url, "api")
	c.must("-C", "api", "commit", "--quiet", "--allow-empty", "-m", "By my own token")
	c.must("-C", "api", "push", "--quiet")
	config, err := os.ReadFile(c.dir + "/api/.git/config")
	if err != nil || strings.Contains(string(config), "ghu_") {
		t.Errorf("the workspace has a token: %s, %v", config, err)
	}
	g.host.ForgetAccess()
	for range 2 {
		says("has to be renewed: "+start, "-C", "api", "fetch")
	}
	says("has to be renewed: "+start, "-C", "api", "push", "origin", "HEAD:again")
	g.connect(t)
	c.must("-C", "api", "fetch", "--quiet")
	says("for "+strings.TrimPrefix(g.host.URL, "http://")+" alone", "clone", strings.Replace(url, strings.TrimPrefix(g.host.URL, "http://")+"/payments/api", "evil.example.test/shop/web", 1), "evil")
}

// TestInstallationsToken: who reads has a token that reads.
func TestInstallationsToken(t *testing.T) {
	g := newGitHubScene(t)
	c := newClient(t)
	url := g.address(t, gatewaytest.Ada) + "/shop/web"
	out, err := c.try("clone", url, "web")
	t.Log(out)
	if err == nil || !strings.Contains(out, "is not installed for shop/web") {
		t.Error("git does not say that the app is not installed")
	}
	g.host.Install("shop")
	c.must("clone", "--quiet", url, "web")
	c.must("-C", "web", "commit", "--quiet", "--allow-empty", "-m", "By the installation")
	c.must("-C", "web", "push", "--quiet")
	if _, mints := g.host.Counts(); mints != 2 {
		t.Errorf("%d tokens were made; one that reads and one that writes are enough", mints)
	}
}
