package lanyard

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lanyardhq/lanyard/"

// layers are the rooms from the bottom up (docs/design.md, "The house"). A room may import what stands in a lower
// layer, and within a layer only a subfolder its parent.
var layers = [][]string{
	{"internal/source", "internal/cmdline", "internal/jsonc"}, // findings with their place, wrong command lines, strangers' JSON; know nothing of Lanyard
	{"internal/identity", "internal/problem", "internal/observe", "internal/aadsts"},
	{"internal/audit", "internal/policy", "internal/feed", "internal/token", "internal/credential", "internal/tunnel", "internal/tunnel/agentapi", "internal/devfile"},
	{"internal/audit/ship", "internal/directory", "internal/directory/scim", "internal/directory/signedin", "internal/session", "internal/tlscert", "internal/session/review", "internal/project", "internal/grant", "internal/policy/cases", "internal/setting", "internal/snapshot", "internal/prebuild"},
	{"internal/access"},
	{"internal/web"},
	{"internal/connection", "internal/workspace", "internal/issuer", "internal/signin", "internal/gateway", "internal/directory/scim/provision"},
	{"internal/gateway/upstream", "internal/workspace/confine", "internal/workspace/space", "internal/image/guard"}, // what the protocols dial through; what runtimes of one machine share
	{
		"api", "internal/apiserver", "internal/dashboard", "internal/gateway/gitproxy", "internal/gateway/httpproxy",
		"internal/gateway/terminal", "internal/gateway/aiagent", "internal/gateway/verbs", "internal/gateway/egress", "internal/gateway/registry", "internal/gateway/gitread", "internal/image", "internal/image/feature", "internal/workspace/docker", "internal/store", "internal/directory/entra", "internal/registration", "internal/workspace/sandbox", "internal/entrasim",
		"internal/entrasim/provisioning",
		"internal/telemetry",
	},
	{"internal/config", "internal/server", "internal/dev", "internal/dev/gitserver", "internal/dev/ledger", "internal/agent", "internal/inside",
		"internal/doctor", "internal/doctor/probe", "internal/cli", "internal/cli/account", "internal/cli/browser", "internal/cli/laptop", "internal/cli/remote", "internal/cli/tour"},
	{"cmd/lanyard", "cmd/lanyard-agent"},
}

// also are imports within a layer, or upwards, that the design allows by name.
var also = map[string][]string{
	"internal/apiserver":             {"api"},
	"internal/server":                {"internal/config", "internal/doctor", "internal/doctor/probe"},
	"internal/dev":                   {"internal/config", "internal/server", "internal/dev/gitserver", "internal/dev/ledger"},
	"internal/cli":                   {"internal/config", "internal/cli/account", "internal/doctor", "internal/cli/browser", "internal/cli/laptop", "internal/cli/remote", "internal/cli/tour"},
	"internal/cli/remote":            {"internal/cli/browser"},
	"internal/cli/tour":              {"internal/cli/remote", "internal/cli/browser"},
	"internal/gateway/upstream":      {"internal/gateway"},
	"internal/session/review":        {"internal/session"},
	"internal/tunnel/agentapi":       {"internal/tunnel"},
	"internal/workspace/sandbox":     {"internal/workspace", "internal/image"},
	"internal/directory/entra":       {"internal/directory"},
	"internal/directory/signedin":    {"internal/directory"},
	"internal/entrasim/provisioning": {"internal/entrasim"},
	"internal/gateway/gitproxy":      {"internal/gateway"},
	"internal/gateway/httpproxy":     {"internal/gateway"},
	"internal/gateway/terminal":      {"internal/gateway"},
	"internal/gateway/egress":        {"internal/gateway"},
	"internal/gateway/registry":      {"internal/gateway"},
	"internal/gateway/gitread":       {"internal/gateway"},
	"internal/workspace/docker":      {"internal/workspace", "internal/image"},
	"internal/gateway/aiagent":       {"internal/gateway"},
	"internal/gateway/verbs":         {"internal/gateway"},
}

// only names who alone may import something.
var only = map[string][]string{
	"modernc.org/sqlite":               {"internal/store"},
	"github.com/jackc/pgx/v5/stdlib":   {"internal/store"},
	module + "internal/entrasim":       {"internal/dev"},
	module + "internal/config":         {"internal/server", "internal/dev", "internal/cli", "internal/apiserver", "internal/agent", "cmd/lanyard"},
	module + "api":                     {"internal/server", "internal/doctor", "internal/dev", "internal/cli", "internal/apiserver", "internal/agent", "internal/inside"},
	"github.com/cedar-policy/cedar-go": {"internal/policy"},
	"net/http/cgi":                     {"internal/dev/gitserver"},
	"github.com/docker/docker":         {"internal/workspace/docker"},
}

// onlyTested are rooms that only tests import.
var onlyTested = []string{"internal/store/storetest", "internal/workspace/runtimetest", "internal/gateway/gatewaytest", "internal/connection/githubtest", "internal/image/imagetest", "test/", "bench"}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T, pattern string) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", pattern).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	d := json.NewDecoder(strings.NewReader(string(out)))
	for d.More() {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

func forTests(room string) bool {
	for _, r := range onlyTested {
		if room == strings.TrimSuffix(r, "/") || strings.HasPrefix(room, r) {
			return true
		}
	}
	return false
}

func TestImportsPointDown(t *testing.T) {
	level := map[string]int{}
	for i, rooms := range layers {
		for _, r := range rooms {
			level[r] = i
		}
	}
	for _, p := range packages(t, "./...") {
		room := strings.TrimPrefix(p.ImportPath, module)
		if p.ImportPath+"/" == module || forTests(room) {
			continue
		}
		here, known := level[room]
		if !known {
			t.Errorf("%s is in no layer: add it to layers, and to docs/design.md", room)
			continue
		}
		for _, dep := range p.Imports {
			for what, who := range only {
				if (dep == what || strings.HasPrefix(dep, what+"/")) && !under(room, append(who, strings.TrimPrefix(what, module))) {
					t.Errorf("%s imports %s, which only %s may", room, dep, strings.Join(who, ", "))
				}
			}
			other, ours := strings.CutPrefix(dep, module)
			if !ours {
				continue
			}
			if forTests(other) {
				t.Errorf("%s imports %s, which is for tests", room, other)
				continue
			}
			if level[other] < here || slices.Contains(also[room], other) {
				continue
			}
			t.Errorf("%s imports %s, which is not below it", room, other)
		}
	}
}

// The agent runs beside whatever a repository brings; it holds nothing of the server's.
func TestAgentLinksNothingOfTheServer(t *testing.T) {
	for _, p := range packages(t, "./cmd/lanyard-agent") {
		for _, dep := range p.Deps {
			for _, banned := range []string{
				module + "internal/store", module + "internal/gateway", module + "internal/policy", module + "internal/access", module + "internal/server",
				"modernc.org/sqlite", "github.com/jackc/pgx", "github.com/cedar-policy/cedar-go", "github.com/docker/", "k8s.io/", "database/sql",
			} {
				if dep == strings.TrimSuffix(banned, "/") || strings.HasPrefix(dep, strings.TrimSuffix(banned, "/")+"/") {
					t.Errorf("lanyard-agent links %s", dep)
				}
			}
		}
	}
}

// Policy and findings are pure: no files, no network, no clock of their own.
func TestPureRooms(t *testing.T) {
	for _, p := range packages(t, "./internal/policy/...") {
		for _, dep := range p.Imports {
			if slices.Contains([]string{"os", "net", "net/http", "io/ioutil", "database/sql", "os/exec"}, dep) {
				t.Errorf("%s imports %s: it does no I/O", p.ImportPath, dep)
			}
		}
	}
}

// Every package says once what it is.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t, "./...") {
		dir := "./" + strings.TrimPrefix(p.ImportPath+"/", module)
		if dir == "./" {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			i := strings.Index(string(text), "\npackage ")
			head := ""
			if i > 0 {
				head = string(text)[:i]
			}
			lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
			last := lines[len(lines)-1]
			if strings.HasPrefix(last, "//") && !strings.HasPrefix(last, "//go:") {
				said = append(said, filepath.Base(f))
			}
		}
		slices.Sort(said)
		if len(said) == 0 {
			t.Errorf("%s has no package comment", dir)
		}
		if len(said) > 1 {
			t.Errorf("%s has package comments in %s", dir, strings.Join(said, " and "))
		}
	}
}

func under(room string, allowed []string) bool {
	for _, a := range allowed {
		if room == a || strings.HasPrefix(room, a+"/") {
			return true
		}
	}
	return false
}
