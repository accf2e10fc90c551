package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// What the person's shell sets by the files that userEnvProbe names is there for commands and steps, as far as the file does not
// say otherwise, and folders of the container's PATH stay.
func TestWhatTheShellSetsIsThereForCommands(t *testing.T) {
	w := newWorld(t, nil)
	home := filepath.Join(w.root, "home")
	for name, text := range map[string]string{
		".profile": "echo welcome; export OF_LOGIN=login BOTH=login PATH=/opt/of-login/bin:/usr/bin; sleep 1000 &\n",
		".bashrc":  "export OF_RC=rc BOTH=rc WITH='a=b\nc'\n",
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const script = `echo "$OF_LOGIN|$OF_RC|$BOTH|"$WITH; case ":$PATH:" in *:/opt/of-login/bin:*/usr/local/bin:*) echo whole;; *) echo "no $PATH";; esac`
	for i, c := range []struct{ probe, want string }{
		{"loginInteractiveShell", "login||file|"}, {"", "||file|"}, {"none", "||file|"}, {"interactiveShell", "|rc|file|a=b c"},
	} {
		w.setup(agentapi.Setup{Probe: c.probe, RemoteEnv: map[string]string{"BOTH": "file"}, WaitFor: postStart, Lifecycle: []agentapi.Step{
			{Stage: postStart, Parts: []agentapi.Part{{Shell: "echo $OF_LOGIN > ~/step"}}},
		}})
		code, out := w.exec(script)
		got, path, _ := strings.Cut(strings.TrimSpace(out), "\n")
		if code != 0 || got != c.want || (path == "whole") != (i == 0) {
			t.Errorf("%q: %d %q, not %q; %s", c.probe, code, got, c.want, path)
		}
	}
	if step, err := os.ReadFile(filepath.Join(home, "step")); err != nil || string(step) != "login\n" {
		t.Errorf("a step sees %q, %v", step, err)
	}
}

func TestPlacesBesideTheCheckout(t *testing.T) {
	w := newWorld(t, nil)
	cache, link := filepath.Join(w.root, "home", ".cache", "go"), w.workspace("src/service")
	setup := agentapi.Setup{Name: "api", Folders: []string{cache, w.workspace("api/node_modules"), "/proc/no"}, Link: link}
	for range 2 {
		said := w.setup(setup)
		if n := strings.Count(said, "could not be made"); n != 1 {
			t.Errorf("%d folders could not be made: %q", n, said)
		}
		for _, folder := range []string{cache, filepath.Join(link, "node_modules")} {
			if info, err := os.Stat(folder); err != nil || !info.IsDir() {
				t.Error(folder, err)
			}
		}
	}
	setup.Link = cache
	if said := w.setup(setup); !strings.Contains(said, "something else is there") {
		t.Errorf("a folder is in its place: %s", said)
	}
	if info, err := os.Lstat(cache); err != nil || !info.IsDir() {
		t.Error("what was there is gone", err)
	}
}
