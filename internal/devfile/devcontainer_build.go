package devfile

import (
	"path"
	"regexp"
	"strings"
)

// build reads the object of that name.
func (d *devReader) build(p *Plan, e entry) {
	for _, k := range d.object(e.key, e.value) {
		switch k.key {
		case "dockerfile":
			d.dockerfile(p, k)
		case "context":
			d.context(p, k)
		case "target":
			p.Image.Target = d.text("build.target", k.value)
		case "args":
			p.Image.Args = d.env("build.args", k.value)
		case "cacheFrom":
			d.note("build.cacheFrom", k.at, "has no effect: what was built is found again by its content")
		case "options":
			if len(d.list("build.options", k.value)) > 0 {
				d.note("build.options", k.at, "has no effect: arguments for the container engine are not a repository's to give")
			}
		default:
			d.unknown(k, "build.", []string{"dockerfile", "context", "target", "args", "cacheFrom", "options"})
		}
	}
	if p.Image.Dockerfile == "" && e.value.kind == object {
		d.report(e.value.at, "`build.dockerfile` is missing")
	}
}

func (d *devReader) dockerfile(p *Plan, e entry) {
	p.Image.Dockerfile = d.inside(e.key, d.folder, e.value)
}

// context reads the folder that the build sees; without one it is that of devcontainer.json.
func (d *devReader) context(p *Plan, e entry) {
	p.Image.Context, d.hasContext = d.inside(e.key, d.folder, e.value), e.value.kind != null
}

var optionName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// features reads the additions to the image with their options.
func (d *devReader) features(p *Plan, e entry) {
	for _, k := range d.object(e.key, e.value) {
		f := Feature{Ref: d.featureRef(k), At: k.at}
		switch k.value.kind {
		case object:
			for _, o := range k.value.entries {
				if !optionName.MatchString(o.key) {
					d.report(o.at, "`features`: %q is no name of an option", o.key)
					continue
				}
				f.option(o.key, d.words("features."+o.key, o.value))
			}
		case boolean:
			if k.value.text == "false" {
				d.note("features."+k.key, k.at, "is not added, since its value is false")
				continue
			}
		case text, number:
			f.option("version", k.value.text)
		case null:
		default:
			d.wrong("features."+k.key, k.value, "a mapping of options")
		}
		if f.Ref != "" {
			p.Features = append(p.Features, f)
		}
	}
}

func (f *Feature) option(name, value string) {
	if f.Options == nil {
		f.Options = map[string]string{}
	}
	f.Options[name] = value
}

// featureRef reads what a feature is called: as a registry has it, or a folder beside the file.
func (d *devReader) featureRef(k entry) string {
	name := k.key
	switch {
	case strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../"):
		if path.Join(d.folder, name) == "." {
			d.report(k.at, "`features`: %q is the repository itself; a feature is a folder in it", name)
		} else if folder := d.inside("features", d.folder, node{kind: text, text: name, at: k.at}); folder != "" {
			return "./" + folder
		}
	case strings.Contains(name, "://"):
		d.report(k.at, "`features`: %q: a feature comes from an OCI registry or from a folder of the repository", name)
	case !strings.Contains(name, "/"):
		d.report(k.at, "`features`: %q names no registry; the usual ones are ghcr.io/devcontainers/features/%s:1", name, path.Base(name))
	case !imageName.MatchString(name):
		d.report(k.at, "`features`: %q is no name of a feature, such as ghcr.io/devcontainers/features/go:1", name)
	default:
		return name
	}
	return ""
}

func (d *devReader) featureOrder(p *Plan, e entry) {
	for _, item := range d.list(e.key, e.value) {
		if item.kind != text {
			d.wrong(e.key, item, "the name of a feature")
			continue
		}
		if ref := d.featureRef(entry{key: item.text, at: item.at}); ref != "" {
			p.FeatureOrder = append(p.FeatureOrder, ref)
		}
	}
}
