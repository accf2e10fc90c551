package devfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/problem"
)

var here = About{Checkout: "/workspace/app", ID: "0123"}

// TestWrongPlaces says what is wrong with its line and column.
func TestWrongPlaces(t *testing.T) {
	const g, d = ".gitpod.yml", ".devcontainer/devcontainer.json"
	for _, c := range []struct{ name, file, text, want string }{
		{"yaml", g, "tasks:\n\t- a\n", "2:1: not valid YAML"},
		{"a list", g, "- a\n", "1:1: `the file` is a list where a mapping is wanted"},
		{"tasks", g, "tasks: yes please\n", "1:8: `tasks` is a text where a list is wanted"},
		{"a task's command", g, "tasks:\n  - name: x\n    command: [a]\n", "3:14: `tasks.command` is a list where a text is wanted"},
		{"twice", g, "image: a\nimage: b\n", "2:1: `image` stands here a second time; it is already on line 1"},
		{"port", g, "ports:\n  - port: 70000\n", "2:11: `ports.port`: a port is a number from 1 to 65535"},
		{"port range", g, "ports:\n  - port: 9-3\n", "2:11: `ports.port`: a port is a number"},
		{"no port", g, "ports:\n  - onOpen: notify\n", "2:5: `ports`: `port` is missing"},
		{"image file", g, "image: {context: x}\n", "1:8: `image.file` is missing"},
		{"image file outside", g, "image:\n  file: ../../etc/Dockerfile\n", "2:9: `image.file`: \"../../etc/Dockerfile\" is not in the repository"},
		{"image", g, "image: \"a b\"\n", "1:8: `image`: \"a b\" is no name of an image"},
		{"checkout outside", g, "checkoutLocation: ../../home\n", "1:19: `checkoutLocation`: \"../../home\" is no folder below /workspace"},
		{"checkout hidden", g, "checkoutLocation: .git\n", "1:19: `checkoutLocation`"},
		{"variable", g, "env: {\"A B\": 1}\n", "1:7: `env`: \"A B\" is no name of a variable"},
		{"bomb", g, "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "the file's values nest or repeat too much"},
		{"its own alias", g, "tasks: &a [*a]\n", ""},
		{"repository", g, "additionalRepositories:\n  - checkoutLocation: x\n", "2:5: `additionalRepositories`: `url` is missing"},
		{"git", g, "gitConfig: {x: y}\n", "1:13: `gitConfig`: \"x\" is no setting of Git"},
		{"many keys", g, strings.Repeat("a:\n", 100) + manyKeys("%d:\n", 10_000), "has more than 2000 entries"},
		{"many members", d, "{" + manyKeys("\"%d\":0,", 10_000) + "}", "has more than 2000 entries"},
		{"json", d, "{\n  \"image\": \"a\"\n  \"name\": 1\n}", "3:3: not valid JSON"},
		{"empty", d, " \n", "the file is empty"},
		{"deep", d, strings.Repeat("[", 100000), "nest too much"},
		{"long", d, strings.Repeat(" ", 1<<20+1), "longer than 1024 KiB"},
		{"an array", d, "[]", "1:1: `the file` is a list where a mapping is wanted"},
		{"image twice", d, "{\"image\": \"a\", \"build\": {\"dockerfile\": \"D\"}}", "1:1: both `image` and `build` are given"},
		{"dockerfile outside", d, "{\"build\": {\"dockerfile\": \"../../D\"}}", "`dockerfile`: \"../../D\" is not in the repository"},
		{"context outside", d, "{\"dockerFile\": \"D\", \"context\": \"/\"}", "`context`: \"/\" is not in the repository"},
		{"forward", d, "{\n\t\"forwardPorts\": [\"x\"]\n}", "2:19: `forwardPorts`: a port is a number"},
		{"size", d, "{\"hostRequirements\": {\"memory\": \"much\"}}", "1:33: `hostRequirements.memory`: a size is a number with"},
		{"wait", d, "{\"waitFor\": \"postAttachCommand\"}", "`waitFor`: \"postAttachCommand\" is none of"},
		{"command", d, "{\"postCreateCommand\": {\"a\": [1]}}", "`postCreateCommand.a` is a number where a text is wanted"},
		{"feature", d, "{\"features\": {\"docker-in-docker\": {}}}", "the usual ones are ghcr.io/devcontainers/features/docker-in-docker:1"},
		{"feature's address", d, "{\"features\": {\"https://x.example.test/f.tgz\": {}}}", "a feature comes from an OCI registry or from a folder"},
		{"feature outside", d, "{\"features\": {\"../../f\": {}}}", "\"../../f\" is not in the repository"},
		{"user", d, "{\"remoteUser\": \"a b\"}", "`remoteUser`: \"a b\" is no name of a user"},
		{"volume", d, "{\"mounts\": [\"type=volume,source=a,target=b\"]}", "1:13: `mounts`: the target \"b\" is no absolute path"},
		{"no variable", d, "{\"name\": \"${localEnv}\"}", "${localEnv} names no variable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.file, []byte(c.text), here)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
			if v := Validate(c.file, []byte(c.text)); len(v.Findings) == 0 {
				t.Error("Validate finds nothing")
			}
		})
	}
}

func manyKeys(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestRefusesPower refuses by name what would reach beyond the workspace.
func TestRefusesPower(t *testing.T) {
	for key, text := range map[string]string{
		"privileged":        `true`,
		"capAdd":            `["SYS_ADMIN"]`,
		"securityOpt":       `["seccomp=unconfined"]`,
		"runArgs":           `["--network=host"]`,
		"dockerComposeFile": `"compose.yml"`,
		"workspaceMount":    `"type=bind,source=/etc,target=/workspace"`,
		"mounts":            `["source=/var/run/docker.sock,target=/var/run/docker.sock,type=bind"]`,
	} {
		_, err := Parse(".devcontainer.json", []byte(`{"image": "debian:12", "`+key+`": `+text+`}`), here)
		if err == nil || !strings.Contains(err.Error(), "`"+key+"` is refused: ") {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, mount := range []string{
		`{"type": "bind", "source": "/", "target": "/host"}`, `"type=bind,src=${localEnv:HOME}/.ssh,dst=/root/.ssh"`,
		`"type=volume,source=x,target=/opt/lanyard"`, `"type=volume,source=x,target=/opt/lanyard/../lanyard/bin"`, `"type=volume,source=x,target=/run/lanyard"`,
		`"type=volume,source=x,target=/"`, `"type=volume,source=x,target=/home"`, `"type=volume,source=x,target=/etc/ssl"`,
		`"type=npipe,source=x,target=/x"`, `"type=devpts,target=/dev/pts"`,
	} {
		if _, err := Parse(".devcontainer.json", []byte(`{"mounts": [`+mount+`]}`), here); err == nil {
			t.Errorf("%s is taken", mount)
		}
	}
}

// TestPlacesOfVolumes: what is kept anyway takes no volume, and what is below the place of the checkout there is below it here.
func TestPlacesOfVolumes(t *testing.T) {
	for target, want := range map[string]string{
		"/workspace": "", "/home/vscode": "", "/root/": "", "/home/vscode/.cache": "/home/vscode/.cache", "/workspaces/app/node_modules": here.Checkout + "/node_modules",
		"${containerWorkspaceFolder}/node_modules": here.Checkout + "/node_modules", "/workspaces/other/x": "/workspaces/other/x", "/workspaces/app/../../var/a": "/var/a",
		"/workspaces/app/../../etc/x": "refused",
	} {
		p, err := Parse(".devcontainer.json", []byte(`{"mounts": ["type=volume,source=x,target=`+target+`"]}`), here)
		got := "refused"
		if err == nil {
			if got = ""; len(p.Volumes) == 1 {
				got = p.Volumes[0].Target
			}
			if noted := len(p.Notes) == 1 && strings.Contains(p.Notes[0].Text, "kept over stops"); noted != (got == "") {
				t.Errorf("%s: %+v", target, p.Notes)
			}
		}
		if got != want {
			t.Errorf("%s is %q, not %q", target, got, want)
		}
	}
	p, err := Parse(".devcontainer.json", []byte(`{"workspaceMount": "type=bind,source=${localWorkspaceFolder},target=/workspace", "workspaceFolder": "/workspace",
		"mounts": ["source=a,target=${containerWorkspaceFolder}/a", "source=b,target=/workspace/b"]}`), here)
	if err != nil || len(p.Volumes) != 2 || p.Volumes[0].Target != here.Checkout+"/a" || p.Volumes[1].Target != here.Checkout+"/b" {
		t.Errorf("%+v %v", p, err)
	}
}

// TestNotesNameEverything has a note for each key of a file that has no effect.
func TestNotesNameEverything(t *testing.T) {
	p, err := Parse(".devcontainer.json", []byte(`{"image": "debian:12", "initializeCommand": "x", "overrideCommand": false, "shutdownAction": "none",
		"secrets": {}, "forwardPort": [1], "build": null, "userEnvProbe": "none", "updateRemoteUserUID": false, "init": true, "mounts": ["type=tmpfs,target=/scratch"],
		"portsAttributes": {".+/server.js": {"label": "x"}}, "forwardPorts": ["db:5432"], "remoteEnv": {"A": null}, "name": "one", "name": "two",
		"hostRequirements": {"gpu": true}, "workspaceFolder": "/elsewhere", "workspaceMount": "source=${localWorkspaceFolder},target=/srv/app,type=bind"}`), here)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, n := range p.Notes {
		keys = append(keys, n.Key)
		if n.At.Line == 0 || n.At.Column == 0 || n.Text == "" {
			t.Errorf("%+v stands nowhere", n)
		}
	}
	want := []string{
		"name", "workspaceMount", "workspaceFolder", "initializeCommand", "overrideCommand", "shutdownAction", "secrets", "forwardPort", "updateRemoteUserUID", "init", "mounts",
		"portsAttributes..+/server.js", "forwardPorts", "remoteEnv.A", "hostRequirements.gpu",
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestDevcontainerSamples reads all samples of the comparison with the reference, so that they are read without it too.
func TestDevcontainerSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/devcontainer/*.json")
	if err != nil || len(files) != 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(".devcontainer/devcontainer.json", content, here); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestCommandsOfContainerVariables(t *testing.T) {
	p, err := Parse(".devcontainer.json", []byte(`{"postCreateCommand": ["echo", "it's ${containerEnv:A}/b", "${containerEnv:B:x y}", "$HOME", ""],
		"postStartCommand": "echo ${containerEnv:A} ${containerEnv:B:c}"}`), here)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`exec 'echo' 'it'\''s '"${A}"'/b' "${B-x y}" '$HOME' ''`, "echo ${A} ${B-c}"}
	if got := []string{p.Lifecycle[0].Parts[0].Shell, p.Lifecycle[1].Parts[0].Shell}; !cmp.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestChoose(t *testing.T) {
	all := []string{"README.md", ".devcontainer/b/devcontainer.json", ".devcontainer.json", ".devcontainer/a/devcontainer.json", ".gitpod.yml",
		".devcontainer/devcontainer.json", ".devcontainer/a/b/devcontainer.json", "sub/.gitpod.yml"}
	c, err := Choose(all, "")
	want := Choice{".gitpod.yml", []string{".devcontainer/devcontainer.json", ".devcontainer.json", ".devcontainer/a/devcontainer.json", ".devcontainer/b/devcontainer.json"}}
	if err != nil || !cmp.Equal(c, want) {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = Choose(all, "b"); err != nil || c.File != ".devcontainer/b/devcontainer.json" || len(c.Also) != 4 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = Choose(all, ".devcontainer.json"); err != nil || c.File != ".devcontainer.json" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = Choose(nil, ""); err != nil || c.File != "" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err = Choose(all, "c"); problem.KindOf(err) != problem.NotFound || !strings.Contains(err.Error(), ".gitpod.yml") {
		t.Error(err)
	}
}
