package start_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// hostile tries a repository's own files and its tree on a world, with an image that it may name. What is refused is tried one by
// one; what is taken has to give nothing.
func (c *canaries) hostile(t *testing.T, w world, image string) {
	c.works(t, w)
	t.Run("devcontainer.json that is refused", func(t *testing.T) { c.refusedFiles(t, w, image) })
	t.Run("gitpod.yml that is refused", func(t *testing.T) { c.refusedGitpod(t, w) })
	t.Run("links in the place of files", func(t *testing.T) { c.links(t, w) })
	t.Run("devcontainer.json that is taken", func(t *testing.T) { c.takenFile(t, w, image) })
	t.Run("a repository", func(t *testing.T) { c.repository(t, w, image) })
}

const devcontainer = ".devcontainer/devcontainer.json"

// refusedFiles are those that ask for more than a workspace has, each alone.
func (c *canaries) refusedFiles(t *testing.T, w world, image string) {
	refused := func(key string) string { return devcontainer + ":3:3: `" + key + "` is refused" }
	const outside = "is not in the repository"
	for name, f := range map[string]struct{ text, want string }{
		"privileged":                  {`"privileged": true`, refused("privileged")},
		"privileged as a word":        {`"privileged": "true"`, refused("privileged")},
		"capabilities":                {`"capAdd": ["SYS_ADMIN"]`, refused("capAdd")},
		"seccomp":                     {`"securityOpt": ["seccomp=unconfined"]`, refused("securityOpt")},
		"arguments":                   {`"runArgs": ["--network=host"]`, refused("runArgs")},
		"arguments in one":            {`"runArgs": "-v/:/host"`, refused("runArgs")},
		"the machine's files":         {`"mounts": ["type=bind,source=/,target=/host"]`, "`mounts` is refused: / of the machine"},
		"Docker's socket":             {`"mounts": [{"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock"}]`, "`mounts` is refused: /var/run/docker.sock of the machine"},
		"the server's files":          {`"mounts": ["source=` + w.Data + `,target=/data,type=bind"]`, "of the machine is no folder of the workspace"},
		"a mount in capitals":         {`"mounts": ["TYPE=BIND,source=/,target=/host"]`, "`mounts` is refused: / of the machine"},
		"a mount of variables":        {`"mounts": ["type=bind,source=${localEnv:` + c.name + `},target=/host"]`, "`mounts` is refused:  of the machine"},
		"over the agent":              {`"mounts": ["type=volume,source=x,target=/opt/lanyard"]`, "/opt/lanyard is the workspace's own"},
		"over the agent by a way":     {`"mounts": ["type=volume,source=x,target=/opt/x/../lanyard/bin"]`, "/opt/lanyard/bin is the workspace's own"},
		"over the socket":             {`"mounts": ["type=volume,source=x,target=/run/lanyard"]`, "/run/lanyard is the workspace's own"},
		"over the system":             {`"mounts": ["type=volume,source=x,target=/etc/"]`, "/etc is the workspace's own"},
		"over processes":              {`"mounts": ["type=volume,source=x,target=/proc/sys"]`, "/proc/sys is the workspace's own"},
		"a checkout that is the root": {`"workspaceMount": "type=bind,source=/,target=/workspace"`, refused("workspaceMount")},
		"a checkout that is another":  {`"workspaceMount": "source=` + w.Data + `/server,target=/w,type=bind"`, refused("workspaceMount")},
		"a Dockerfile outside":        {`"build": {"dockerfile": "../../../../etc/passwd"}`, outside},
		"a Dockerfile of the machine": {`"dockerFile": "/etc/passwd"`, outside},
		"a context outside":           {`"build": {"dockerfile": "Dockerfile", "context": "../.."}`, outside},
		"a context of the machine":    {`"build": {"dockerfile": "Dockerfile", "context": "` + w.Data + `"}`, outside},
		"a context of Windows":        {`"build": {"dockerfile": "Dockerfile", "context": "..\\.."}`, outside},
		"a context over an address":   {`"build": {"dockerfile": "Dockerfile", "context": "http://127.0.0.1:` + c.port + `/x"}`, `There is no`},
		"compose outside":             {`"dockerComposeFile": ["../../docker-compose.yml"], "service": "x"`, refused("dockerComposeFile")},
		"a feature outside":           {`"features": {"./../../..": {}}`, outside},
		"the repository as a feature": {`"features": {"./..": {}}`, "a feature is a folder"},
		"a feature over an address":   {`"features": {"http://127.0.0.1:` + c.port + `/x.tgz": {}}`, "a feature comes from an OCI registry"},
		"a feature of metadata":       {`"image": "` + image + `", "features": {"169.254.169.254/latest/meta-data:1": {}}`, "failed"},
		"an image of metadata":        {`"image": "169.254.169.254/latest/meta-data:1"`, "Getting the image 169.254.169.254/latest/meta-data:1 failed"},
		"an image that is an option":  {`"image": "--privileged"`, "is no name of an image"},
		"an image that is a path":     {`"image": "../../etc"`, "is no name of an image"},
		"a user that is an option":    {`"remoteUser": "-u0"`, "is no name of a user"},
		"a user that is a path":       {`"remoteUser": "../../root"`, "is no name of a user"},
		"a user that is a command":    {`"remoteUser": "$(id)"`, "is no name of a user"},
		"a user that is too large":    {`"image": "` + image + `", "remoteUser": "4294967296"`, "no number of a user"},
		"a user that nobody knows":    {`"image": "` + image + `", "remoteUser": "nosuchuser"`, "has no user"},
		"a variable that is two":      {`"containerEnv": {"A=B\nLD_PRELOAD": "x"}`, "is no name of a variable"},
		"a value with a zero":         {`"containerEnv": {"A": "x\u0000LD_PRELOAD=y"}`, "holds a zero byte"},
		"values that nest":            {`"x": ` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000), "nest too much"},
		"a file without end":          {`"x": "` + strings.Repeat("x", 1<<20) + `"`, "longer than 1024 KiB"},
		"a file that is another":      {"\x00\x01\x1b]0;owned\x07", "not valid JSON"},
		"names that move the cursor":  {`"privileged": true, "\u001b]0;owned\u0007": 1, "remoteUser": "\u001b[2J"`, "`remoteUser`"},
	} {
		t.Run(name, func(t *testing.T) {
			w.commit(t, "refused", map[string]string{devcontainer: "{\n  // all that it wants\n  " + f.text + "\n}\n"})
			c.refuses(t, w, "refused", f.want)
		})
	}
}

// refusedGitpod is the same for the other format.
func (c *canaries) refusedGitpod(t *testing.T, w world) {
	const outside = "is not in the repository"
	bomb := "x0: &x0 [y, y, y, y, y, y, y, y, y, y]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("x%d: &x%d [%s*x%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*x%d, ", i), 9), i)
	}
	for name, f := range map[string]struct{ text, want string }{
		"a Dockerfile outside":       {"image: {file: ../../../etc/passwd}\n", outside},
		"a Dockerfile of Git's":      {"image: {file: .git/config}\n", "There is no file"},
		"a context outside":          {"image: {file: Dockerfile, context: ../..}\n", outside},
		"a checkout outside":         {"additionalRepositories: [{url: '" + host + "payments/assets', checkoutLocation: ../../etc}]\n", "no folder below /workspace"},
		"a checkout that is Git's":   {"additionalRepositories: [{url: '" + host + "payments/assets', checkoutLocation: .git}]\n", "no folder below /workspace"},
		"a setting that is two":      {"gitConfig: {core.editor: \"vi\\n[core]\\n\\tsshCommand = sh\"}\n", "no setting of Git"},
		"aliases without end":        {bomb, ".gitpod.yml"},
		"an alias of itself":         {"tasks: &t [*t]\n", ".gitpod.yml"},
		"a merge of itself":          {"a: &a {<<: *a}\n", ".gitpod.yml"},
		"an image that is an option": {"image: --privileged\n", "is no name of an image"},
		"a file without end":         {"#" + strings.Repeat("x", 1<<20), "longer than 1024 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			w.commit(t, "refused", map[string]string{".gitpod.yml": f.text})
			c.refuses(t, w, "refused", f.want)
		})
	}
}

// links are symbolic links where the server reads a file: none is followed, whatever it leads to.
func (c *canaries) links(t *testing.T, w world) {
	for name, f := range map[string]struct {
		all  map[string]object
		want string
	}{
		"gitpod.yml":        {map[string]object{".gitpod.yml": link(c.file)}, ".gitpod.yml is no file: no symbolic link is followed"},
		"devcontainer.json": {map[string]object{devcontainer: link(c.file)}, "is no file: no symbolic link is followed"},
		"a way up":          {map[string]object{".devcontainer.json": link("../../../../../../.." + c.file)}, "is no file: no symbolic link is followed"},
		"within":            {map[string]object{".gitpod.yml": link("other.yml"), "other.yml": {text: "tasks: []\n"}}, "is no file: no symbolic link is followed"},
		"a Dockerfile":      {map[string]object{".gitpod.yml": {text: "image: {file: Dockerfile}\n"}, "Dockerfile": link(c.file)}, `There is no file "Dockerfile"`},
		"a folder on the way": {map[string]object{".gitpod.yml": {text: "image: {file: docker/file}\n"}, "docker": link("/")},
			`There is no file "docker/file"`},
		"a context":             {map[string]object{".gitpod.yml": {text: "image: {file: Dockerfile, context: all}\n"}, "Dockerfile": {text: "FROM scratch\n"}, "all": link("/")}, `There is no folder "all"`},
		"a submodule as a file": {map[string]object{".gitpod.yml": {mode: "160000", text: strings.Repeat("1", 40)}}, "is no file: no symbolic link is followed"},
	} {
		t.Run(name, func(t *testing.T) {
			w.commitObjects(t, "linked", f.all)
			c.refuses(t, w, "linked", f.want)
		})
	}
}

// takenFile is a file of which everything is read and nothing reaches beyond the workspace.
func (c *canaries) takenFile(t *testing.T, w world, image string) {
	w.commitObjects(t, "taken", map[string]object{
		devcontainer: {text: `{
  "image": "` + image + `",
  "privileged": false, "capAdd": [], "securityOpt": [], "runArgs": [],
  "initializeCommand": "` + c.run("initialize") + `",
  "onCreateCommand": "` + c.run("create") + `",
  "postCreateCommand": ["sh", "-c", "` + c.run("postCreate") + `"],
  "mounts": ["type=volume,source=../../../..,target=/data,volume-driver=local,volume-opt=type=none,volume-opt=device=/,volume-opt=o=bind"],
  "containerEnv": {
    "LEAKED": "<${localEnv:` + c.name + `}${env:` + c.name + `}${localEnv:` + c.name + `:none}>", "AGAIN": "${containerEnv:` + c.name + `}",
    "LD_PRELOAD": "/workspace/api/evil.so", "LD_LIBRARY_PATH": "/workspace/api", "PATH": "/workspace/api/evil:/usr/bin", "BASH_ENV": "/workspace/api/evil/env", "GODEBUG": "inittrace=1",
    "LANYARD_STARTER_FD": "4", "LANYARD_WORKSPACE_ID": "w-stolen", "GITPOD_HOST": "https://stolen.example.test", "HOME": "/etc", "HTTPS_PROXY": "http://127.0.0.1:` + c.port + `"
  },
  "remoteEnv": {"REMOTE": "<${localEnv:` + c.name + `}>"},
  "forwardPorts": [` + c.port + `, 22, "127.0.0.1:` + c.port + `"],
  "customizations": {"\u001b]0;owned\u0007": {}}, "\u001b[2J": 1
}`},
		"evil.so":  {text: "no library\n"},
		"evil/env": {text: c.run("bash") + "\n"},
		"evil/git": {mode: "100755", text: "#!/bin/sh\n" + c.run("git") + "\nexec /usr/bin/git \"$@\"\n"},
		".devcontainer/\x1b]0;owned\x07/devcontainer.json": {text: "{}"},
		"\x1b]0;owned\x07\nname":                           {text: "x\n"},
	})
	ws, said := w.begin(t, api.Order{ContextURL: host + repo + "/tree/taken"})
	c.silent(t, w, said, ws.Message)
	if ws.Phase != "running" {
		t.Fatal(ws.Message)
	}
	if !strings.Contains(said, "initializeCommand: is not run") {
		t.Error("nobody says that initializeCommand is not run")
	}
	w.says(t, ws, "git version; sort -u /tmp/ran", "bash\ncreate\ngit\npostCreate\n") // armed: it all runs here
	out := w.Must("ada", ws, `echo "$LEAKED $REMOTE"; ls -A /data; env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n'; cat /proc/self/status; git -C /workspace/api status --short; true`)
	c.silent(t, w, out)
	for _, want := range []string{"<none> <>\n", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "LANYARD_WORKSPACE_ID=" + ws.ID, "GITPOD_HOST=" + w.Info.URL} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
	if got := w.Must("ada", ws, "ls -A /data 2>&1; curl -s -m 5 http://127.0.0.1:"+c.port+"/; true"); strings.TrimSpace(withoutLoader(got)) != "" {
		t.Errorf("the volume holds %q", got)
	}
	c.silent(t, w)
	c.shown(t, w, ws)
}

// withoutLoader leaves out what the dynamic loader says of a library that is none.
func withoutLoader(s string) string {
	var kept []string
	for line := range strings.Lines(s) {
		if !strings.Contains(line, "ld.so") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// shown looks at what the command line shows of names that move a cursor.
func (c *canaries) shown(t *testing.T, w world, ws api.Workspace) {
	w.Must("ada", ws, "cd /workspace/api && echo more > \"$(printf '\\033]0;owned\\007')\"")
	for _, one := range []struct{ command, shows string }{{"delete", "not committed"}, {"logs", "customizations."}} {
		said := w.Lanyard(one.command, ws.ID, "--user", "ada")
		if !strings.Contains(said.Out+said.Err, one.shows) {
			t.Errorf("%s does not show %s: %d %s%s", one.command, one.shows, said.Status, said.Out, said.Err)
		}
		c.silent(t, w, said.Out+said.Err)
	}
}
