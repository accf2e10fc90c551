package devfile

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// gitpodSchema are all keys of Gitpod's schema (gitpod-schema.json), each with a value that asks for something.
var gitpodSchema = map[string]string{
	"image":                      "image: debian:12",
	"image.file":                 "image: {file: Dockerfile}",
	"image.context":              "image: {file: Dockerfile, context: docker}",
	"tasks":                      "tasks: [{command: make}]",
	"tasks.name":                 "tasks: [{name: Build}]",
	"tasks.before":               "tasks: [{before: make}]",
	"tasks.init":                 "tasks: [{init: make}]",
	"tasks.prebuild":             "tasks: [{prebuild: make}]",
	"tasks.command":              "tasks: [{command: make}]",
	"tasks.env":                  "tasks: [{env: {A: b}}]",
	"tasks.openIn":               "tasks: [{openIn: left}]",
	"tasks.openMode":             "tasks: [{openMode: tab-after}]",
	"ports":                      "ports: [{port: 3000}]",
	"ports.port":                 "ports: [{port: 3000-3999}]",
	"ports.onOpen":               "ports: [{port: 3000, onOpen: open-browser}]",
	"ports.visibility":           "ports: [{port: 3000, visibility: public}]",
	"ports.name":                 "ports: [{port: 3000, name: Web}]",
	"ports.description":          "ports: [{port: 3000, description: The shop}]",
	"ports.protocol":             "ports: [{port: 3000, protocol: https}]",
	"additionalRepositories":     "additionalRepositories: [{url: 'https://git.example.test/a/b'}]",
	"additionalRepositories.url": "additionalRepositories: [{url: 'https://git.example.test/a/b'}]",
	"additionalRepositories.checkoutLocation": "additionalRepositories: [{url: 'https://git.example.test/a/b', checkoutLocation: c}]",
	"mainConfiguration":                       "mainConfiguration: https://git.example.test/a/b",
	"checkoutLocation":                        "checkoutLocation: elsewhere",
	"workspaceLocation":                       "workspaceLocation: elsewhere",
	"gitConfig":                               "gitConfig: {core.autocrlf: input}",
	"github":                                  "github: {prebuilds: {master: true}}",
	"github.prebuilds":                        "github: {prebuilds: {master: true}}",
	"vscode":                                  "vscode: {extensions: [golang.go]}",
	"vscode.extensions":                       "vscode: {extensions: [golang.go]}",
	"jetbrains":                               "jetbrains: {goland: {prebuilds: {version: stable}}}",
	"experimentalNetwork":                     "experimentalNetwork: true",
	"coreDump":                                "coreDump: {enabled: true}",
	"coreDump.enabled":                        "coreDump: {enabled: true, softLimit: 1, hardLimit: 2}",
	"env":                                     "env: {A: b}",
	"subRepositories":                         "subRepositories: [{url: 'https://git.example.test/a/b'}]",
	"mainRepository":                          "mainRepository: https://git.example.test/a/b",
}

// devcontainerSchema are those of development containers (devContainer.base.schema.json) and the deprecated ones.
var devcontainerSchema = map[string]string{
	"image": `"debian:12"`, "build": `{"dockerfile": "Dockerfile"}`, "dockerFile": `"Dockerfile"`, "context": `".."`,
	"features": `{"ghcr.io/devcontainers/features/go:1": {}}`, "overrideFeatureInstallOrder": `["ghcr.io/devcontainers/features/go"]`,
	"containerEnv": `{"A": "b"}`, "remoteEnv": `{"A": "b"}`, "remoteUser": `"vscode"`, "containerUser": `"vscode"`, "updateRemoteUserUID": `false`,
	"onCreateCommand": `"make"`, "updateContentCommand": `"make"`, "postCreateCommand": `"make"`, "postStartCommand": `"make"`, "postAttachCommand": `"make"`,
	"initializeCommand": `"make"`, "waitFor": `"postCreateCommand"`, "forwardPorts": `[3000]`, "appPort": `3000`, "portsAttributes": `{"3000": {"label": "Web"}}`,
	"otherPortsAttributes": `{"onAutoForward": "ignore"}`, "mounts": `["source=a,target=/var/a,type=volume"]`, "workspaceFolder": `"/elsewhere"`,
	"workspaceMount": `"source=${localWorkspaceFolder},target=/srv/app,type=bind"`, "hostRequirements": `{"cpus": 2}`, "customizations": `{"vscode": {"extensions": ["golang.go"]}}`,
	"extensions": `["golang.go"]`, "settings": `{"a": 1}`, "secrets": `{"TOKEN": {}}`, "init": `true`, "overrideCommand": `false`, "entrypoint": `"/x"`, "shutdownAction": `"none"`,
	"userEnvProbe": `"none"`, "devPort": `1`, "privileged": `true`, "capAdd": `["ALL"]`, "securityOpt": `["x"]`, "runArgs": `["-v"]`, "dockerComposeFile": `"x"`, "service": `"x"`, "runServices": `["x"]`,
	"name": `"App"`, "$schema": `"x"`,
}

// titles are keys that say what a file is, and ask for nothing.
var titles = []string{"name", "$schema"}

// TestEveryKeyMeansSomething has an effect, a note that names it or a refusal that does for each key of both formats.
func TestEveryKeyMeansSomething(t *testing.T) {
	check := func(file, key, content string) {
		t.Helper()
		p, err := Parse(file, []byte(content), here)
		if err != nil {
			if !strings.Contains(err.Error(), "`"+key+"` is refused") {
				t.Errorf("%s: %v", key, err)
			}
			return
		}
		noted := slices.ContainsFunc(p.Notes, func(n Note) bool {
			return n.Key == key || strings.HasPrefix(n.Key, key+".") || strings.HasPrefix(key, n.Key+".")
		})
		for _, n := range p.Notes {
			if strings.Contains(n.Text, "is not known") {
				t.Errorf("%s: %s %s", key, n.Key, n.Text)
			}
		}
		p.File, p.Notes = "", nil
		if !noted && reflect.DeepEqual(*p, Plan{}) && !slices.Contains(titles, key) {
			t.Errorf("%s: nothing is made of %s, and nothing said", key, content)
		}
	}
	for key, content := range gitpodSchema {
		check(".gitpod.yml", key, content)
	}
	for key, value := range devcontainerSchema {
		content := `{"` + key + `": ` + value + `}`
		if key == "context" {
			content = `{"dockerFile": "Dockerfile", "context": "docker"}`
		}
		check(".devcontainer.json", key, content)
	}
	for key := range gitpodKeys {
		if _, ok := gitpodSchema[key]; !ok {
			t.Errorf("%s is read, and not in the schema here", key)
		}
	}
	for key := range devcontainerKeys() {
		if _, ok := devcontainerSchema[key]; !ok && key != "id" { // which only images have
			t.Errorf("%s is read, and not in the schema here", key)
		}
	}
}

// TestDocumentedKeys: the tables of docs/workspaces.md have each key of both formats, and no other.
func TestDocumentedKeys(t *testing.T) {
	page, err := os.ReadFile("../../docs/workspaces.md")
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile("`([$.A-Za-z]+)`")
	table := func(format string) []string {
		_, section, ok := strings.Cut(string(page), "\n## `"+format+"`\n")
		if !ok {
			t.Fatalf("there is no section %s", format)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		section, _, _ = strings.Cut(section, "\n### ")
		var keys []string
		for line := range strings.Lines(section) {
			cells := strings.Split(line, "|")
			if len(cells) < 3 || !strings.HasPrefix(line, "| ") {
				continue
			}
			parent := ""
			for _, m := range word.FindAllStringSubmatch(cells[1], -1) {
				key := m[1]
				if strings.HasPrefix(key, ".") { // beside the one that was named with its parent
					key = parent + key
				} else {
					parent, _, _ = strings.Cut(key, ".")
				}
				keys = append(keys, key)
			}
		}
		return keys
	}
	gitpod, dev := table(".gitpod.yml"), table("devcontainer.json")
	has := func(keys []string, key string) bool {
		first, last, nested := strings.Cut(key, ".")
		return slices.Contains(keys, key) || nested && slices.Contains(keys, first) && slices.Contains(keys, last)
	}
	for key := range gitpodSchema {
		if !has(gitpod, key) && key != "tasks.command" && !slices.ContainsFunc(gitpod, func(k string) bool { return strings.HasPrefix(k, key+".") }) {
			t.Errorf(".gitpod.yml: %s is not in the table", key)
		}
	}
	for key := range devcontainerSchema {
		if !has(dev, key) && !slices.ContainsFunc(dev, func(k string) bool { return strings.HasPrefix(k, key+".") }) {
			t.Errorf("devcontainer.json: %s is not in the table", key)
		}
	}
	known := devcontainerKeys()
	for _, key := range dev {
		first, _, _ := strings.Cut(key, ".")
		if known[first] == nil && !slices.Contains([]string{"cpus", "memory", "storage", "gpu"}, key) {
			t.Errorf("devcontainer.json: the table has %s, which is not read", key)
		}
	}
	for _, key := range gitpod {
		first, _, _ := strings.Cut(key, ".")
		if gitpodKeys[first] == nil && !slices.Contains([]string{"http", "https", "url", "enabled", "softLimit", "hardLimit"}, key) {
			t.Errorf(".gitpod.yml: the table has %s, which is not read", key)
		}
	}
}
