package devfile

import (
	"strings"
	"testing"
)

// TestOnAnImage adds what an image and its features say of themselves, and lets the file have the last word.
func TestOnAnImage(t *testing.T) {
	p, err := Parse(".devcontainer/devcontainer.json", []byte(`{"image": "x", "containerEnv": {"A": "file"}, "postCreateCommand": "own", "forwardPorts": [3000],
		"mounts": ["source=own,target=/cache,type=volume"], "customizations": {"vscode": {"extensions": ["b.b"]}}}`), here)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := p.On(`[
		{"id": "ghcr.io/x/features/go:1", "onCreateCommand": "go env", "postCreateCommand": {"a": "one", "b": ["two"]}, "init": true, "capAdd": ["SYS_PTRACE"],
		 "mounts": [{"type": "volume", "source": "go", "target": "/go"}, {"type": "volume", "source": "under", "target": "/cache"}], "entrypoint": "/x.sh"},
		{"remoteUser": "vscode", "containerEnv": {"A": "image", "B": "image"}, "customizations": {"vscode": {"extensions": ["a.a", "b.b"]}}, "forwardPorts": [3000, 4000],
		 "mounts": ["source=/var/run/docker.sock,target=/var/run/docker.sock,type=bind"], "privileged": true, "hostRequirements": {"cpus": 2}, "waitFor": "postCreateCommand"}]`, here)
	if err != nil {
		t.Fatal(err)
	}
	got := string(meaning(t, sum))
	for _, want := range []string{`"User": "vscode"`, `"A": "file"`, `"B": "image"`, `"WaitFor": "postCreateCommand"`, `"CPUs": 2`, `"First": 4000`, `"Target": "/go"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	var order []string
	for _, s := range sum.Lifecycle {
		order = append(order, string(s.Stage)+" "+s.From)
	}
	if s := strings.Join(order, ", "); s != "onCreateCommand ghcr.io/x/features/go:1, postCreateCommand ghcr.io/x/features/go:1, postCreateCommand " {
		t.Errorf("the order is %s", s)
	}
	if len(sum.Volumes) != 2 || sum.Volumes[0].Name != "own" || len(sum.Ports) != 2 || strings.Join(sum.Extensions, " ") != "a.a b.b" {
		t.Errorf("%+v", sum)
	}
	for _, want := range []string{"image: capAdd", "image: privileged", "image: mounts", "image: entrypoint"} {
		found := false
		for _, n := range sum.Notes {
			found = found || n.Key == want
		}
		if !found {
			t.Errorf("nothing is said of %s: %+v", want, sum.Notes)
		}
	}
	if len(p.Lifecycle) != 1 || p.User != "" {
		t.Error("the plan itself was changed")
	}
	if _, err := p.On("{", here); err == nil {
		t.Error("what is no JSON is taken")
	}
	g := &Plan{File: ".gitpod.yml"}
	if same, err := g.On(`{"remoteUser": "x"}`, here); err != nil || same != g {
		t.Errorf("%+v, %v", same, err)
	}
}

// TestAttack27NestedLabels: an image's label is a stranger's text as its repository's file is.
func TestAttack27NestedLabels(t *testing.T) {
	for _, label := range []string{`[{/*"*/"x":` + strings.Repeat("[", 900_000), `[{"name":"` + strings.Repeat("a", 2<<20) + `"}]`} {
		if sum, err := (&Plan{File: ".devcontainer.json"}).On(label, About{}); err == nil || sum != nil {
			t.Errorf("%.20s…: %v", label, err)
		}
	}
	_, err := Parse(".devcontainer.json", []byte(`{/*"*/"x":`+strings.Repeat("[", 900_000)), About{})
	if err == nil || !strings.Contains(err.Error(), "nest too much") {
		t.Errorf("%v", err)
	}
}
