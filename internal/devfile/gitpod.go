package devfile

import (
	"path"
	"strings"
)

// gitpod reads .gitpod.yml.
func (r *reader) gitpod(content string, about About) *Plan {
	p := &Plan{}
	root, ok := r.yamlTree(content)
	if !ok {
		return p
	}
	for _, e := range r.object("the file", root) {
		read, ok := gitpodKeys[e.key]
		if !ok {
			r.unknown(e, "", known(gitpodKeys))
			continue
		}
		read(r, p, e)
	}
	r.gitpodPlaces(p, root, about)
	return p
}

// gitpodKeys are all keys of Gitpod's schema, and those that it had once.
var gitpodKeys = map[string]func(*reader, *Plan, entry){
	"image":                  (*reader).gitpodImage,
	"tasks":                  (*reader).gitpodTasks,
	"ports":                  (*reader).gitpodPorts,
	"additionalRepositories": (*reader).gitpodRepositories,
	"subRepositories":        (*reader).gitpodRepositories,
	"checkoutLocation":       func(*reader, *Plan, entry) {}, // gitpodPlaces reads these two
	"workspaceLocation":      func(*reader, *Plan, entry) {},
	"gitConfig":              (*reader).gitpodGit,
	"env":                    func(r *reader, p *Plan, e entry) { p.Env = r.env(e.key, e.value) },
	"vscode":                 (*reader).gitpodCode,
	"jetbrains":              (*reader).gitpodJetBrains,
	"coreDump":               (*reader).gitpodCore,
	"mainConfiguration":      (*reader).gitpodMain,
	"mainRepository":         (*reader).gitpodMain,
	"github": func(r *reader, _ *Plan, e entry) {
		r.object(e.key, e.value)
		r.note(e.key, e.at, "has no effect: the project's file says when a prebuild runs")
	},
	"experimentalNetwork": func(r *reader, _ *Plan, e entry) {
		r.bool(e.key, e.value)
		r.note(e.key, e.at, "has no effect: a workspace has no network but Lanyard's")
	},
}

func (r *reader) gitpodImage(p *Plan, e entry) {
	if e.value.kind != object {
		p.Image.Ref = r.imageRef(e.key, e.value)
		return
	}
	for _, k := range e.value.entries {
		switch k.key {
		case "file":
			if p.Image.Dockerfile = r.inside("image.file", "", k.value); p.Image.Dockerfile == "" {
				r.report(k.value.at, "`image.file` names no file")
			}
		case "context":
			p.Image.Context = r.inside("image.context", "", k.value)
		default:
			r.unknown(k, "image.", []string{"file", "context"})
		}
	}
	if _, ok := e.value.find("file"); !ok {
		r.report(e.value.at, "`image.file` is missing: the path of a Dockerfile")
	}
}

func (r *reader) gitpodRepositories(p *Plan, e entry) {
	if e.key == "subRepositories" {
		r.note(e.key, e.at, "is the old name of `additionalRepositories`")
	}
	for _, item := range r.list(e.key, e.value) {
		repository := Repository{At: item.at}
		for _, k := range r.object(e.key, item) {
			switch k.key {
			case "url":
				repository.URL = r.text(e.key+".url", k.value)
			case "checkoutLocation":
				repository.Checkout = r.below(e.key+".checkoutLocation", k.value)
			default:
				r.unknown(k, e.key+".", []string{"url", "checkoutLocation"})
			}
		}
		if repository.URL == "" {
			r.report(item.at, "`%s`: `url` is missing", e.key)
			continue
		}
		p.Repositories = append(p.Repositories, repository)
	}
}

// gitpodPlaces reads where the checkout is to be, and where terminals begin. A checkout has its repository's name here, and a
// file's own place for it leads there; what is said to be below that place is below the checkout.
func (r *reader) gitpodPlaces(p *Plan, root node, about About) {
	here := strings.TrimPrefix(about.Checkout, "/workspace/")
	wished := here
	if e, ok := root.find("checkoutLocation"); ok {
		if folder := r.below(e.key, e.value); folder != "" && folder != here {
			wished = folder
			if at := path.Join("/workspace", folder); mayLead(at, about.Checkout) {
				p.Checkout = at
				r.note(e.key, e.at, "the checkout is at %s; %s leads there", about.Checkout, at)
			} else {
				r.note(e.key, e.at, "has no effect: the checkout is at %s", about.Checkout)
			}
		}
	}
	e, ok := root.find("workspaceLocation")
	if !ok {
		return
	}
	folder := r.below(e.key, e.value)
	if strings.HasSuffix(folder, ".code-workspace") || strings.HasSuffix(folder, ".theia-workspace") {
		r.note(e.key, e.at, "names an editor's file; terminals begin in its folder")
		folder = path.Dir(folder)
	}
	if rest, ok := strings.CutPrefix(folder+"/", wished+"/"); ok {
		folder = path.Join(here, rest)
	}
	if folder != "" && folder != "." && folder != here {
		p.Folder = path.Join("/workspace", folder)
	}
}

// gitpodGit reads settings of Git. What would lead Git past the gateway stays as the agent sets it.
func (r *reader) gitpodGit(p *Plan, e entry) {
	for _, k := range r.object(e.key, e.value) {
		name, value := strings.ToLower(k.key), r.words(e.key+"."+k.key, k.value)
		section, _, ok := strings.Cut(name, ".")
		switch {
		case !ok || strings.HasSuffix(name, ".") || strings.ContainsAny(name+value, "\x00\n"):
			r.report(k.at, "`gitConfig`: %q is no setting of Git, such as core.autocrlf", k.key)
		case section == "credential" || section == "http" || section == "https" || section == "url" || section == "include" || section == "includeif" ||
			section == "safe" || section == "protocol" || name == "core.sshcommand" || name == "core.askpass" || name == "core.gitproxy":
			r.note(e.key+"."+k.key, k.at, "has no effect: how Git reaches a server is Lanyard's to say")
		default:
			p.GitConfig = append(p.GitConfig, Setting{Key: k.key, Value: value})
		}
	}
}

func (r *reader) gitpodCode(p *Plan, e entry) {
	for _, k := range r.object(e.key, e.value) {
		if k.key == "extensions" {
			p.Extensions = append(p.Extensions, r.texts("vscode.extensions", k.value)...)
			r.note("vscode.extensions", k.at, "%s", noEditor)
			continue
		}
		r.unknown(k, "vscode.", []string{"extensions"})
	}
}

func (r *reader) gitpodJetBrains(_ *Plan, e entry) {
	products := []string{"plugins", "intellij", "goland", "pycharm", "phpstorm", "rubymine", "webstorm", "rider", "clion", "rustrover"}
	for _, k := range r.object(e.key, e.value) {
		found := false
		for _, name := range products {
			found = found || name == k.key
		}
		if !found {
			r.unknown(k, "jetbrains.", products)
		}
	}
	r.note(e.key, e.at, "has no effect: there is no editor of JetBrains in a workspace yet")
}

func (r *reader) gitpodMain(_ *Plan, e entry) {
	r.text(e.key, e.value)
	r.note(e.key, e.at, "has no effect: a workspace's own repository says what it needs; open that one, and name this one in its `additionalRepositories`")
}

func (r *reader) gitpodCore(_ *Plan, e entry) {
	for _, k := range r.object(e.key, e.value) {
		switch k.key {
		case "enabled":
			if r.bool("coreDump.enabled", k.value) {
				r.note(e.key, e.at, "has no effect: processes of a workspace leave no core files")
			}
		case "softLimit", "hardLimit":
			r.whole("coreDump."+k.key, k.value)
		default:
			r.unknown(k, "coreDump.", []string{"enabled", "softLimit", "hardLimit"})
		}
	}
}
