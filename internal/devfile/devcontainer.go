package devfile

import (
	"path"
	"slices"
	"strings"
)

// devReader reads a devcontainer.json (https://containers.dev/implementors/json_reference/), or what an image or a feature
// says of itself in the same words.
type devReader struct {
	*reader
	about         About
	folder        string // of the file in the repository; paths in it are seen from there
	containerUser string
	hasContext    bool
	attributes    []Port // of portsAttributes
	mounted       string // where the file believes the checkout to be; empty: what is read is no file
}

func (r *reader) devcontainer(content string, about About) *Plan {
	d := &devReader{reader: r, about: about, folder: path.Dir(r.file)}
	p := &Plan{}
	root, ok := r.jsonTree(content)
	if !ok {
		return p
	}
	p.Folder, p.Checkout = d.workspaceFolder(root)
	d.read(p, d.substituted(root, p.Folder))
	if p.Image.Ref != "" && p.Image.Dockerfile != "" {
		r.report(root.at, "both `image` and `build` are given; one of them is the workspace's")
	}
	return p
}

// read reads all keys of an object.
func (d *devReader) read(p *Plan, root node) {
	table := devcontainerKeys()
	for _, e := range d.object("the file", root) {
		read, ok := table[e.key]
		if !ok {
			d.unknown(e, "", known(table))
			continue
		}
		read(d, p, e)
	}
	if p.User == "" {
		p.User = d.containerUser
	}
	if p.Image.Dockerfile != "" && !d.hasContext && d.folder != "." {
		p.Image.Context = d.folder
	}
	d.joinPorts(p)
	slices.SortStableFunc(p.Lifecycle, func(a, b Step) int { return stageOrder(a.Stage) - stageOrder(b.Stage) })
}

var stages = []Stage{OnCreate, UpdateContent, PostCreate, PostStart, PostAttach}

func stageOrder(s Stage) int { return slices.Index(stages, s) }

type devRead func(*devReader, *Plan, entry)

// devcontainerKeys are all keys of the specification and those that it had once.
func devcontainerKeys() map[string]devRead {
	keys := map[string]devRead{
		"name":                        func(d *devReader, _ *Plan, e entry) { d.text(e.key, e.value) },
		"$schema":                     func(d *devReader, _ *Plan, e entry) { d.text(e.key, e.value) },
		"id":                          func(d *devReader, _ *Plan, e entry) { d.text(e.key, e.value) },
		"image":                       func(d *devReader, p *Plan, e entry) { p.Image.Ref = d.imageRef(e.key, e.value) },
		"build":                       (*devReader).build,
		"dockerFile":                  func(d *devReader, p *Plan, e entry) { d.dockerfile(p, e) },
		"context":                     func(d *devReader, p *Plan, e entry) { d.context(p, e) },
		"features":                    (*devReader).features,
		"overrideFeatureInstallOrder": (*devReader).featureOrder,
		"containerEnv":                func(d *devReader, p *Plan, e entry) { p.Env = d.env(e.key, e.value) },
		"remoteEnv":                   func(d *devReader, p *Plan, e entry) { p.RemoteEnv = d.remoteEnv(e) },
		"remoteUser":                  func(d *devReader, p *Plan, e entry) { p.User = d.user(e) },
		"containerUser":               func(d *devReader, _ *Plan, e entry) { d.containerUser = d.user(e) },
		"updateRemoteUserUID":         (*devReader).syncUser,
		"userEnvProbe":                func(d *devReader, p *Plan, e entry) { p.Probe = d.oneOf(e.key, e.value, probes) },
		"waitFor":                     (*devReader).waitFor,
		"forwardPorts":                (*devReader).forwardPorts,
		"appPort":                     (*devReader).appPort,
		"portsAttributes":             (*devReader).portsAttributes,
		"otherPortsAttributes":        (*devReader).otherPorts,
		"mounts":                      (*devReader).mounts,
		"hostRequirements":            (*devReader).needs,
		"customizations":              (*devReader).customizations,
		"extensions":                  func(d *devReader, p *Plan, e entry) { d.extensions(p, e.key, e.value) },
		"workspaceFolder":             ignored, // read before all others
		"workspaceMount":              ignored,
	}
	for key, say := range devcontainerNotes {
		keys[key] = func(d *devReader, _ *Plan, e entry) { d.note(e.key, e.at, "%s", say) }
	}
	for key, why := range devcontainerRefused {
		keys[key] = func(d *devReader, _ *Plan, e entry) { d.refused(e, why) }
	}
	for _, stage := range stages {
		keys[string(stage)] = (*devReader).command
	}
	return keys
}

func ignored(*devReader, *Plan, entry) {}

// devcontainerNotes are keys whose wish is met in another way, or not.
var devcontainerNotes = map[string]string{
	"initializeCommand": "is not run: it would run on the machine outside of the workspace",
	"init":              "has no effect: the first process of every workspace reaps its children and passes on signals",
	"overrideCommand":   "has no effect: an image's own command and entry point are never run",
	"entrypoint":        "has no effect: entry points are never run; what it starts belongs into a lifecycle command",
	"shutdownAction":    "has no effect: a workspace stops when nobody has used it for its timeout",
	"settings":          "has no effect: settings of an editor that is not there yet; the deprecated place of `customizations.vscode.settings`",
	"devPort":           "has no effect: a deprecated port of an editor's own",
	"secrets":           "names variables that a person may set: `lanyard env set NAME`",
	"runServices":       "has no effect without `dockerComposeFile`",
}

const noEditor = "has no effect: extensions of an editor that is not there yet"

// devcontainerRefused are the keys that reach beyond the workspace, and why.
var devcontainerRefused = map[string]string{
	"privileged":        "a workspace has no power over the machine that it runs on",
	"capAdd":            "a workspace has no capabilities; debuggers work on your own processes without",
	"securityOpt":       "the confinement of a workspace is not its repository's to change",
	"runArgs":           "arguments for the container engine are not a repository's to give; use containerEnv, mounts with volumes, hostRequirements",
	"dockerComposeFile": "a workspace is one container; start what it needs from a lifecycle command, or name an image",
	"service":           "it belongs to `dockerComposeFile`, and a workspace is one container",
}

// refused refuses a key, unless it asks for nothing.
func (d *devReader) refused(e entry, why string) {
	switch v := e.value; {
	case v.kind == null, v.kind == boolean && v.text == "false", v.kind == list && len(v.items) == 0, v.kind == text && v.text == "":
	default:
		d.refuse(e.key, e.at, "%s", why)
	}
}

var probes = []string{"none", "loginShell", "interactiveShell", "loginInteractiveShell"}

// syncUser reads what has no object here, whichever it says: who the checkout would belong to outside.
func (d *devReader) syncUser(_ *Plan, e entry) {
	d.bool(e.key, e.value)
	if e.value.kind == boolean {
		d.note(e.key, e.at, "has no effect: there is no user outside whose number one of the workspace could take; home and checkout belong to the workspace's user, whatever its number")
	}
}

func (d *devReader) user(e entry) string {
	s := d.text(e.key, e.value)
	if s != "" && (len(s) > 64 || !plain(s) || strings.ContainsAny(s, " /$\"'`") || s[0] == '-') {
		d.report(e.value.at, "`%s`: %q is no name of a user", e.key, s)
		return ""
	}
	return s
}

// remoteEnv reads variables of which null takes one away.
func (d *devReader) remoteEnv(e entry) map[string]string {
	kept := e.value
	kept.entries = nil
	for _, k := range e.value.entries {
		if k.value.kind == null {
			d.note(e.key+"."+k.key, k.at, "has no effect: a variable is not taken away")
			continue
		}
		kept.entries = append(kept.entries, k)
	}
	return d.env(e.key, kept)
}

func (d *devReader) waitFor(p *Plan, e entry) {
	s := Stage(d.text(e.key, e.value))
	switch {
	case s == "":
	case s == "initializeCommand":
		p.WaitFor = OnCreate
	case stageOrder(s) >= 0 && s != PostAttach:
		p.WaitFor = s
	default:
		d.report(e.value.at, "`waitFor`: %q is none of onCreateCommand, updateContentCommand, postCreateCommand, postStartCommand", s)
	}
}

func (d *devReader) customizations(p *Plan, e entry) {
	for _, k := range d.object(e.key, e.value) {
		name := e.key + "." + k.key
		if k.key != "vscode" {
			d.note(name, k.at, "has no effect: it speaks to another program")
			continue
		}
		for _, inner := range d.object(name, k.value) {
			switch inner.key {
			case "extensions":
				d.extensions(p, name+".extensions", inner.value)
			case "settings":
				d.note(name+".settings", inner.at, "has no effect: settings of an editor that is not there yet")
			default:
				d.note(name+"."+inner.key, inner.at, "has no effect")
			}
		}
	}
}

func (d *devReader) extensions(p *Plan, key string, n node) {
	if len(n.items) > 0 {
		d.note(key, n.at, "%s", noEditor)
	}
	for _, id := range d.texts(key, n) {
		if !slices.Contains(p.Extensions, id) {
			p.Extensions = append(p.Extensions, id)
		}
	}
}
