package warm_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

const (
	apiPath    = "payments/api"
	repository = "https://git.example.test/" + apiPath
)

// commit puts a devcontainer.json on a branch that begins at main without its .gitpod.yml.
func (w world) commit(t *testing.T, branch, text string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "--git-dir", filepath.Join(w.Data, "git", apiPath+".git"), "fast-import", "--quiet", "--force", "--done")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(`commit refs/heads/%s
committer Ada <ada@contoso.example> 1767225600 +0000
data 25
What the workspace is for
from refs/heads/main^0
D .gitpod.yml
M 100644 inline .devcontainer.json
data %d
%s
done
`, branch, len(text), text))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
}

// begin starts ada's workspace on a branch, which runs then, and returns it with what was said; it ends with the test.
func (w world) begin(t *testing.T, branch string) (api.Workspace, string) {
	t.Helper()
	ada := w.As("ada")
	ws, err := ada.CreateWorkspace(w.Context(), api.Order{ContextURL: repository + "/tree/" + branch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ada.ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
			t.Error(err)
		}
	})
	var said []string
	if ws, err = ada.Follow(w.Context(), ws.ID, func(p api.Progress) { said = append(said, p.Text) }); err != nil || ws.Phase != "running" {
		t.Fatalf("%+v, %v: %s", ws, err, said)
	}
	return ws, strings.Join(said, "\n")
}

// ofTheFile has variables and a volume of the checkout's that came from the pool as they come without one.
func (w world) ofTheFile(t *testing.T, ready func() string) {
	w.commit(t, "fits", `{
  "containerEnv": {"FROM_FILE": "said", "PATH": "/opt/of/the/file"},
  "remoteEnv": {"TWICE": "${containerEnv:FROM_FILE}-again"},
  "mounts": ["source=modules,target=${containerWorkspaceFolder}/node_modules,type=volume"]
}`)
	label := ready()
	ws, said := w.begin(t, "fits")
	if ws.ID != "w-"+label || !ws.Warm || ws.Cold != "" || strings.Contains(said, "pool") || !strings.Contains(said, "The volume modules is a folder") {
		t.Errorf("%+v, and %s was ready: %s", ws.Machine, label, said)
	}
	const line = `echo $FROM_FILE $TWICE ${PATH%%:*}; ls -d /workspace/api/node_modules; env -0 | tr '\0' '\n' | grep -v ` + `'^\(GITPOD_\|LANYARD_\|THEIA_\|HOSTNAME=\|PATH=\|SHLVL\|_=\)' | sort`
	from := w.Must("ada", ws, line)
	if !strings.HasPrefix(from, "said said-again /opt/of/the/file\n/workspace/api/node_modules\n") {
		t.Errorf("inside: %s", from)
	}
	if got := w.Must("ada", ws, "lanyard info"); !strings.Contains(got, "pool        made ahead") {
		t.Errorf("info: %s", got)
	}
	// Started again, it is made as any other: nothing that a program sees is another one.
	if _, err := w.As("ada").StopWorkspace(w.Context(), ws.ID); err != nil {
		t.Fatal(err)
	}
	w.Eventually("it has stopped", func() bool {
		now, err := w.As("ada").Workspace(w.Context(), ws.ID)
		return err == nil && now.Phase == "stopped"
	})
	if _, err := w.As("ada").StartWorkspace(w.Context(), ws.ID); err != nil {
		t.Fatal(err)
	}
	if now, err := w.As("ada").Follow(w.Context(), ws.ID, func(api.Progress) {}); err != nil || now.Phase != "running" || now.Warm {
		t.Fatalf("%+v, %v", now, err)
	}
	if again := w.Must("ada", ws, line); again != from {
		t.Errorf("from the pool\n%s\nand otherwise\n%s", from, again)
	}
	w.commit(t, "differs", `{"mounts": ["source=data,target=/var/lib/data,type=volume"]}`)
	label = ready()
	cold, said := w.begin(t, "differs")
	const why = "its file mounts volumes outside /workspace"
	if cold.Warm || cold.Cold != why || !strings.Contains(said, "Not from the pool: "+why+".") {
		t.Errorf("%+v, and %s was ready: %s", cold.Machine, label, said)
	}
	if got := w.Must("ada", cold, "lanyard info"); !strings.Contains(got, "pool        not from the pool: "+why) {
		t.Errorf("info: %s", got)
	}
}

// agentAway: whose agent is away when it is taken is not waited for; the start is made anew.
func (w world) agentAway(t *testing.T) {
	label := w.ready(t, 1)[0]
	w.Tunnel(api.Workspace{ID: "w-" + label}).Close() // in its place
	ws := w.Workspace("ada", repo)
	if ws.ID != "w-"+label || ws.Warm == (ws.Cold != "") {
		t.Errorf("%+v, and %s was ready", ws.Machine, label)
	}
	if got := w.Must("ada", ws, "git -C /workspace/legacy config user.name"); !strings.Contains(got, "Ada") {
		t.Errorf("inside: %s", got)
	}
	if err := w.As("ada").ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
		t.Fatal(err)
	}
}

// forbidden: a policy that is changed holds for what is ready already.
func (w world) forbidden(t *testing.T) {
	w.ready(t, 1)
	path := filepath.Join(w.Data, "policies", "frozen.cedar")
	if err := os.WriteFile(path, []byte("@id(\"frozen\")\nforbid (principal, action == Action::\"workspace:create\", resource);\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	order := api.Order{ContextURL: repo}
	w.Eventually("the policy holds", func() bool {
		ws, err := w.As("ada").CreateWorkspace(w.Context(), order)
		if err == nil {
			if err := w.As("ada").ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
				t.Fatal(err)
			}
		}
		return err != nil
	})
	label := w.nobodysAlone(t)
	for _, who := range []string{"ada", "grace"} {
		if _, err := w.As(who).CreateWorkspace(w.Context(), order); err == nil {
			t.Errorf("%s may", who)
		}
	}
	if now := w.ready(t, 1)[0]; now != label {
		t.Errorf("it was %s and is %s", label, now)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the policy is gone", func() bool {
		ws, err := w.As("ada").CreateWorkspace(w.Context(), order)
		if err != nil {
			return false
		}
		if ws.ID != "w-"+label {
			t.Errorf("%s was made, and %s was ready", ws.ID, label)
		}
		return w.As("ada").ForceDeleteWorkspace(w.Context(), ws.ID) == nil
	})
}

// unwanted: what the project's file does not want any more goes.
func (w world) unwanted(t *testing.T) {
	w.ready(t, 1)
	path := filepath.Join(w.Data, "projects", "payments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "warm: [{count: 1}], ", "", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	w.Eventually("nothing is made ahead", func() bool { return len(w.labels(t)) == 0 })
}
