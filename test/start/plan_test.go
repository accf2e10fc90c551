package start_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// What a file needs of the machine chooses the smallest class that has it, and never one that the project or a policy keeps
// back; whoever asks for a class has it.
func (w world) needs(t *testing.T) {
	for branch, needs := range map[string]string{
		"needs-little": `"cpus": 1, "memory": "512mb"`, "needs-much": `"cpus": 6, "gpu": "optional"`, "needs-all": `"cpus": 64, "memory": "1tb", "gpu": true`,
	} {
		w.commit(t, branch, map[string]string{".devcontainer.json": `{"hostRequirements": {` + needs + `}}`})
	}
	check := func(o api.Order, class string, says ...string) api.Workspace {
		t.Helper()
		o.ContextURL = host + repo + "/tree/" + o.ContextURL
		ws, said := w.begin(t, o)
		if ws.Phase != "running" || ws.Class != class {
			t.Errorf("%+v: %s, of class %s, not %s", o, ws.Phase, ws.Class, class)
		}
		for _, part := range says {
			if !strings.Contains(said, part) {
				t.Errorf("%+v: nothing says %q", o, part)
			}
		}
		return ws
	}
	check(api.Order{ContextURL: "needs-little"}, "small", "hostRequirements asks for 1 processor and 512 MiB of memory: the smallest class that has it is small.")
	check(api.Order{ContextURL: "needs-much"}, "large")
	check(api.Order{ContextURL: "needs-all"}, "large", "Warning: hostRequirements asks for 64 processors and 1024 GiB of memory: no class that this workspace may have is that large. It starts in the largest, large, which has 8 processors and 16 GiB of memory.",
		".devcontainer.json:1: hostRequirements.gpu: is not there: workspaces have no graphics processor")
	asked := check(api.Order{ContextURL: "needs-much", Class: "small"}, "small", "Warning: hostRequirements asks for 6 processors: the class small, which was asked for, has 1 processor. Large enough: large.")

	policy := filepath.Join(w.Data, "policies", "large.cedar")
	if err := os.WriteFile(policy, []byte(`@id("nobody-has-large")
forbid (principal, action in [Action::"workspace:create", Action::"workspace:start"], resource) when { context has class && context.class == "large" };
`), 0o644); err != nil {
		t.Fatal(err)
	}
	large := "large"
	w.Eventually("a policy keeps a class back", func() bool {
		_, err := w.As("ada").ChangeWorkspace(w.Context(), asked.ID, api.WorkspaceChange{Class: &large})
		return err != nil && strings.Contains(err.Error(), "nobody-has-large")
	})
	check(api.Order{ContextURL: "needs-much"}, "standard", "It starts in the largest, standard, which has 4 processors.")
	if err := os.Remove(policy); err != nil {
		t.Fatal(err)
	}
}

// Whoever the image's user is writes the home and the checkout, whatever its number is and whatever updateRemoteUserUID says; and
// the volumes that files have below these are folders of that user's.
func (w world) users(t *testing.T, ref string) {
	for branch, says := range map[string][2]string{
		"user-absent": {`"remoteUser": "gitpod"`, "33333"}, "user-true": {`"remoteUser": "gitpod", "updateRemoteUserUID": true`, "33333"},
		"user-false": {`"containerUser": "gitpod", "updateRemoteUserUID": false`, "33333"}, "user-number": {`"remoteUser": "4711"`, "4711"},
	} {
		w.commit(t, branch, map[string]string{".devcontainer.json": `{"image": "` + ref + `", ` + says[0] + `,
			"mounts": ["source=modules,target=${containerWorkspaceFolder}/node_modules,type=volume", "source=data,target=/var/data,type=volume"],
			"postCreateCommand": "touch made ~/made node_modules/made /var/data/made"}`})
		ws, said := w.begin(t, api.Order{ContextURL: host + repo + "/tree/" + branch})
		if ws.Phase != "running" {
			t.Fatal(ws.Message)
		}
		for part, want := range map[string]bool{
			"updateRemoteUserUID: has no effect": strings.Contains(says[0], "update"), "is below /workspace, which is kept over stops": true, "/var/data": false, "could not be made": false,
		} {
			if strings.Contains(said, part) != want {
				t.Errorf("%s: it is said to be so: %q", branch, part)
			}
		}
		const line = "id -u; stat -c %u . made ~ ~/made node_modules/made /var/data/made | sort -u; git status --short | head -1"
		w.says(t, ws, line, says[1]+"\n"+says[1]+"\n?? made\n")
		if branch == "user-absent" {
			w.again(t, ws)
			w.says(t, ws, line, says[1]+"\n"+says[1]+"\n?? made\n")
		}
	}
}

// A file that believes the checkout elsewhere finds it there, and what Lanyard does not do of it is said at the start.
func (w world) places(t *testing.T) {
	w.commit(t, "places", map[string]string{
		".gitpod.yml": "checkoutLocation: src/service\nworkspaceLocation: src/service/cmd\nports: [{port: 4000, visibility: public}]\njetbrains: {goland: {plugins: [x]}}\ncoreDump: {enabled: true}\n",
		"cmd/main.go": "package main\n",
	})
	ws, said := w.begin(t, api.Order{ContextURL: host + repo + "/tree/places"})
	for _, part := range []string{
		".gitpod.yml:1: checkoutLocation: the checkout is at /workspace/api; /workspace/src/service leads there", "ports.visibility: has no effect", "jetbrains: has no effect", "coreDump: has no effect",
	} {
		if !strings.Contains(said, part) {
			t.Errorf("nothing says %q", part)
		}
	}
	if again := w.Lanyard("logs", ws.ID, "--user", "ada"); !strings.Contains(again.Out, "jetbrains: has no effect") {
		t.Errorf("on the command line: %+v", again)
	}
	w.says(t, ws, "pwd; cd /workspace/src/service && ls cmd && git rev-parse --show-toplevel", "/workspace/api/cmd\nmain.go\n/workspace/api\n")

	w.commit(t, "probe", map[string]string{".devcontainer.json": `{"onCreateCommand": "echo 'export OF_PROFILE=yes' >> ~/.profile", "postAttachCommand": "true", "remoteEnv": {"HERE": "${containerEnv:OF_PROFILE:no}"}}`})
	ws, _ = w.begin(t, api.Order{ContextURL: host + repo + "/tree/probe"})
	w.again(t, ws)
	w.says(t, ws, "echo $OF_PROFILE $HERE", "yes no\n")
}
