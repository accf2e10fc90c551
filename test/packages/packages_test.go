// Package packages gets packages as developers do, from within a workspace that has no route but the gateway: from a real npm
// registry, a Go module proxy, an index for pip and an apt repository, each as the project's file allows, and from none of them in
// another project.
package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// shelves is a world with registries, and a workspace in a project that may use them and one in a project that may not.
type shelves struct {
	*harness.World
	ours, theirs api.Workspace
	goroot       string // empty where workspaces do not have it
	pip          string // the command; empty where workspaces do not have it
}

// ourProject is the sample project with registries and a host to connect to.
func ourProject(tokenFile, passwordFile string) string {
	return `project: payments
roles:
  developer: ["` + entrasim.PaymentsEngineersID + `"]
repositories:
  - url: https://git.example.test/payments/api
    credential: {entra: "` + entrasim.ContosoGitAppID + `/.default"}
resources:
  - registry: npm
    kind: npm
    url: http://npm.example.test
    credential: {bearer_file: ` + tokenFile + `}
  - registry: modules
    kind: go
    url: http://go.example.test
    scope: example.test/*
  - registry: python
    kind: pypi
    url: http://pypi.example.test
    credential: {basic_file: ` + passwordFile + `}
workspace: {egress: [deb.example.test]}
`
}

// open starts a world with all of them.
func open(t *testing.T, flags ...string) *shelves {
	t.Helper()
	npm, token := npmRegistry(t)
	python, password := pythonIndex(t)
	for name, at := range map[string]string{"npm": npm, "go": goModules(t), "pypi": python, "deb": debianPackages(t)} {
		flags = append(flags, "--host", name+".example.test="+at)
	}
	return &shelves{World: harness.StartOn(t, func(data string) {
		folder := filepath.Join(data, "projects")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "payments.yaml"), ourProject(token, password))
	}, flags...)}
}

// work makes the two workspaces, each at the same place of its repository.
func (s *shelves) work(at string) {
	s.ours = s.Workspace("ada", "https://git.example.test/payments/api"+at)
	s.theirs = s.Workspace("alan", "https://git.example.test/shop/web"+at)
}

// asRoot puts a branch into a repository of the sample Git server whose workspaces are the image's root.
func (s *shelves) asRoot(t *testing.T, repository string) {
	t.Helper()
	git := func(input string, args ...string) string {
		cmd := exec.Command("git", append([]string{"--git-dir", filepath.Join(s.Data, "git", repository+".git"), "-c", "user.name=Ada", "-c", "user.email=ada@contoso.example"}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	file := git(`{"remoteUser": "root", "containerUser": "root"}`, "hash-object", "-w", "--stdin")
	tree := git("100644 blob "+file+"\t.devcontainer.json\n", "mktree")
	git("", "update-ref", "refs/heads/root", git("", "commit-tree", "-m", "Be root", tree))
}

func TestPackages(t *testing.T) {
	s := open(t)
	if goroot := strings.TrimSpace(run(t, "", "go", "env", "GOROOT")); strings.HasPrefix(goroot, "/usr/") {
		s.goroot = goroot
	}
	const pip = "/usr/bin/pip3" // what stands elsewhere is not in a sandbox
	if _, err := os.Stat(pip); err == nil {
		s.pip = pip
	} else if os.Getenv("LANYARD_REQUIRE") == "all" {
		t.Fatalf("%s is not installed on this machine, and LANYARD_REQUIRE=all", pip)
	}
	s.work("")
	t.Run("git", s.git)
	t.Run("npm", s.npm)
	t.Run("go", s.golang)
	t.Run("python", s.python)
	t.Run("apt", s.apt)
	t.Run("refused", s.refused)
	t.Run("logged", s.logged)
}

// In a container of an image with Debian's own tools. A workspace of the image's root installs packages as anybody does, though it
// has no capability at all.
func TestPackagesInDocker(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("installs packages in a container for a minute: set LANYARD_SLOW=1 (make test-all)")
	}
	engine := harness.Docker(t)
	t.Setenv("DOCKER_HOST", "unix://"+engine.Socket)
	s := open(t, "--runtime", "docker", "--image", engine.Tools(t))
	s.goroot, s.pip = "/usr/lib/go", "~/venv/bin/pip"
	s.asRoot(t, "payments/api")
	s.asRoot(t, "shop/web")
	s.work("/tree/root")
	for who, ws := range map[string]api.Workspace{"ada": s.ours, "alan": s.theirs} {
		if out, code := s.Exec(who, ws, "python3 -m venv ~/venv"); code != 0 {
			t.Fatalf("%s has no environment for Python:\n%s", who, out)
		}
	}
	t.Run("git", s.git)
	t.Run("npm", s.npm)
	t.Run("go", s.golang)
	t.Run("python", s.python)
	t.Run("apt", s.aptAsRoot)
	t.Run("refused", s.refused)
	t.Run("logged", s.logged)
}

// aptAsRoot is apt as in any container, and as in one whose project does not list its repository.
func (s *shelves) aptAsRoot(t *testing.T) {
	const sources = `echo "deb [trusted=yes] http://deb.example.test/ ./" > /etc/apt/sources.list
`
	s.must(t, sources+`[ $(id -u) = 0 ]; grep -q 'CapEff:.*0000000000000000' /proc/self/status
apt-get update 2>&1; apt-get install -y greeting 2>&1; cat /usr/share/greeting/hello`, "hello from a package")
	s.says(t, "alan", s.theirs, sources+`apt-get update 2>&1`, "403  Not allowed: the project shop does not list deb.example.test:80 under workspace.egress in shop.yaml")
	s.says(t, "ada", s.ours, `ls /sys/class/net`, "lo\n")
}

func (s *shelves) must(t *testing.T, line, wants string) {
	t.Helper()
	out, code := s.Exec("ada", s.ours, "set -e\n"+line)
	if code != 0 || !strings.Contains(out, wants) {
		t.Errorf("%s\nended with %d, and should say %q:\n%s", line, code, wants, out)
	}
}

func (s *shelves) git(t *testing.T) {
	const clone = `rm -rf ~/again && git clone -q https://git.example.test/payments/api ~/again 2>&1 && git -C ~/again log -1 --format='cloned %s'`
	s.must(t, clone, "cloned ")
	s.says(t, "alan", s.theirs, clone, "There is no repository git.example.test/payments/api here that you may use")
}

func (s *shelves) npm(t *testing.T) {
	s.must(t, `mkdir -p ~/lib && cd ~/lib
echo '{"name": "@contoso/greeting", "version": "1.0.0", "main": "index.js"}' > package.json
echo 'module.exports = "hello from a scoped package"' > index.js
npm publish 2>&1`, "+ @contoso/greeting@1.0.0")
	s.must(t, `mkdir -p ~/app && cd ~/app
echo '{"name": "app", "version": "1.0.0", "dependencies": {"@contoso/greeting": "^1.0.0"}}' > package.json
npm install 2>&1 && rm -rf node_modules ~/.npm
cat package-lock.json; npm ci 2>&1 && node -p 'require("@contoso/greeting")'`, "hello from a scoped package")
	// What would make credentials of the registry's own is not passed on.
	s.must(t, `curl -sS -X POST http://127.0.0.1:7070/r/npm/-/npm/v1/tokens -d '{}'`, "Not allowed: /-/npm/v1/tokens is about accounts of the registry")
	s.must(t, `curl -sS http://127.0.0.1:7070/r/npm/@contoso%2fgreeting`, `"tarball": "http://127.0.0.1:7070/r/npm/@contoso/greeting/-/greeting-1.0.0.tgz"`)
}

func (s *shelves) golang(t *testing.T) {
	if s.goroot == "" {
		t.Skip("Go is not below /usr, and sandboxes have nothing else of the machine")
	}
	s.must(t, `export PATH=$PATH:`+s.goroot+`/bin GOTOOLCHAIN=local
mkdir -p ~/prog && cd ~/prog
printf 'module example.com/prog\n\ngo 1.19\n\nrequire example.test/greeting v1.0.0\n' > go.mod
printf 'package main\n\nimport "example.test/greeting"\n\nfunc main() { println(greeting.Hello) }\n' > main.go
go mod download example.test/greeting 2>&1; go mod tidy 2>&1; cat go.sum; cat $(go env GOMODCACHE)/example.test/greeting@v1.0.0/greeting.go`, "hello from a module")
}

func (s *shelves) python(t *testing.T) {
	if s.pip == "" {
		t.Skip("Debian's pip is not on this machine, and sandboxes have nothing else of it")
	}
	s.must(t, s.pip+` install --target ~/packages greeting 2>&1; PYTHONPATH=~/packages python3 -c 'import greeting; print(greeting.hello)'`, "hello from a wheel")
	// Without an index of their project's own people get to the public one, which it does not list.
	s.says(t, "alan", s.theirs, s.pip+` install --retries 1 --target ~/packages greeting 2>&1`,
		"403 Not allowed: the project shop does not list pypi.org:443 under workspace.egress in shop.yaml")
	s.says(t, "alan", s.theirs, s.pip+` install -vv --retries 0 --index-url http://127.0.0.1:7070/r/python/simple/ --target ~/packages greeting 2>&1`, "404 Client Error")
	const none = "There is no app or registry python here that you may use"
	s.says(t, "alan", s.theirs, `curl -sS http://127.0.0.1:7070/r/python/simple/greeting/`, none)
	s.says(t, "alan", s.theirs, `cat ~/.local/state/lanyard/egress.log`, "python: "+none) // pip shows statuses alone
}

// aptGet is apt-get in folders of one's own, since a sandbox's /usr is the machine's and nobody in it is root. ROOT is where
// packages go.
const aptGet = `export ROOT=~/root A=~/apt
mkdir -p $A/lists/partial $A/archives/partial $A/etc $ROOT/var/lib/dpkg/info $ROOT/var/lib/dpkg/updates
touch $ROOT/var/lib/dpkg/status
get() { apt-get -o Dir::State=$A -o Dir::State::status=$ROOT/var/lib/dpkg/status -o Dir::Cache=$A -o Dir::Etc::sourcelist=$A/etc/sources.list \
  -o Dir::Etc::sourceparts=/dev/null -o Dir::Log=$A -o Debug::NoLocking=1 -o Acquire::Retries=0 "$@" 2>&1; }
`

func (s *shelves) apt(t *testing.T) {
	s.must(t, aptGet+`echo "deb [trusted=yes] http://deb.example.test/ ./" > $A/etc/sources.list
get update; get install -y --download-only greeting
dpkg-deb -x $A/archives/greeting_1.0_all.deb $ROOT; cat $ROOT/usr/share/greeting/hello`, "hello from a package")
}

// refused is that what one project allows another does not, and that people see why.
func (s *shelves) refused(t *testing.T) {
	ours := func(line, wants string) { s.says(t, "ada", s.ours, line, wants) }
	theirs := func(line, wants string) { s.says(t, "alan", s.theirs, line, wants) }
	const listed = "the project shop does not list deb.example.test:80 under workspace.egress in shop.yaml"
	theirs(`curl -sS http://deb.example.test/Packages`, listed)
	theirs(aptGet+`echo "deb [trusted=yes] http://deb.example.test/ ./" > $A/etc/sources.list; get update`, "403  Not allowed: "+listed)
	theirs(`cd && npm view --registry http://127.0.0.1:7070/r/npm/ @contoso/greeting 2>&1`, "There is no app or registry npm here that you may use")
	theirs(`mkdir -p ~/app && cd ~/app
echo '{"name": "app", "version": "1.0.0", "dependencies": {"@contoso/greeting": "^1.0.0"}}' > package.json
echo '{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {
  "": {"name": "app", "version": "1.0.0", "dependencies": {"@contoso/greeting": "^1.0.0"}},
  "node_modules/@contoso/greeting": {"version": "1.0.0", "resolved": "https://registry.npmjs.org/@contoso/greeting/-/greeting-1.0.0.tgz"}}}' > package-lock.json
npm ci --fetch-retries 0 2>&1`, "the project shop does not list registry.npmjs.org:443")
	if s.goroot != "" {
		theirs(`cd && export PATH=$PATH:`+s.goroot+`/bin GOTOOLCHAIN=local
go mod download example.test/greeting@v1.0.0 2>&1`, "the project shop does not list proxy.golang.org:443")
		theirs(`cd && export PATH=$PATH:`+s.goroot+`/bin GOTOOLCHAIN=local GOPROXY=http://127.0.0.1:7070/r/modules GONOSUMDB='*'
go mod download example.test/greeting@v1.0.0 2>&1`, "There is no app or registry modules here that you may use")
	}
	ours(`curl -sSv https://elsewhere.example.test/ 2>&1`, "403 Not allowed: the project payments does not list elsewhere.example.test:443 under workspace.egress in payments.yaml")
	ours(`curl -sS --noproxy '' -x http://127.0.0.1:7070 http://127.0.0.1:22/ 2>&1`, "does not list 127.0.0.1:22")
	ours(`curl -sS --noproxy '*' https://deb.example.test/ 2>&1 || echo no other way out`, "no other way out")
	ours(`cat ~/.local/state/lanyard/egress.log`, "elsewhere.example.test:443: Not allowed: the project payments does not list")
	theirs(`cat ~/.local/state/lanyard/egress.log`, listed)
}

func (s *shelves) says(t *testing.T, who string, ws api.Workspace, line, wants string) {
	t.Helper()
	if out, _ := s.Exec(who, ws, line); !strings.Contains(out, wants) {
		t.Errorf("%s\nshould say %q:\n%s", line, wants, out)
	}
}

// logged is what the audit log has of it.
func (s *shelves) logged(t *testing.T) {
	for _, q := range []struct{ action, outcome, resource string }{
		{"egress:connect", "denied", "egress deb.example.test:80"},
		{"egress:connect", "opened", "egress deb.example.test:80"},
		{"registry:publish", "opened", "registry npm"},
		{"registry:read", "opened", "registry modules"},
		{"registry:read", "opened", "registry python"},
	} {
		s.Eventually(q.action+" "+q.outcome+" in the audit log", func() bool {
			page, err := s.Operator.Audit(s.Context(), api.AuditQuery{Limit: 50, Action: q.action})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Items {
				if e.Outcome == q.outcome && e.Resource == q.resource {
					return true
				}
			}
			return false
		})
	}
}
