package devfile

import (
	"path"
	"regexp"
	"strings"
)

// variable is ${name} or ${name:argument…} (https://containers.dev/implementors/json_reference/#variables-in-devcontainerjson).
var variable = regexp.MustCompile(`\$\{([^}\n]*)\}`)

func variableParts(match string) (name string, args []string) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(match, "${"), "}"), ":")
	return parts[0], parts[1:]
}

// substituted fills in what is known before the container is: folder is the one in which terminals begin. There is no
// machine beside the workspace whose variables a file could name: localEnv is the default that it gives, or empty.
func (d *devReader) substituted(n node, folder string) node {
	if folder == "" {
		folder = d.about.Checkout
	}
	switch n.kind {
	case text:
		n.text = variable.ReplaceAllStringFunc(n.text, func(match string) string {
			name, args := variableParts(match)
			switch name {
			case "localEnv", "env":
				switch {
				case len(args) == 0:
					d.report(n.at, "%s names no variable", match)
				case len(args) > 1:
					return args[1]
				}
				return ""
			case "localWorkspaceFolder":
				return d.about.Checkout
			case "localWorkspaceFolderBasename":
				return path.Base(d.about.Checkout)
			case "containerWorkspaceFolder":
				return folder
			case "containerWorkspaceFolderBasename":
				return path.Base(folder)
			case "devcontainerId":
				return d.about.ID
			}
			return match
		})
	case list:
		items := make([]node, len(n.items))
		for i, one := range n.items {
			items[i] = d.substituted(one, folder)
		}
		n.items = items
	case object:
		entries := make([]entry, len(n.entries))
		for i, e := range n.entries {
			e.value = d.substituted(e.value, folder)
			entries[i] = e
		}
		n.entries = entries
	}
	return n
}

// workspaceFolder says in which folder of the checkout terminals begin; empty: in the checkout itself. A file may say where
// its tools mount the checkout; here it is at its own place, to which that one leads, and what is below it there is below it
// here.
func (d *devReader) workspaceFolder(root node) (folder, checkout string) {
	mounted := path.Join("/workspaces", path.Base(d.about.Checkout))
	if e, ok := root.find("workspaceMount"); ok && e.value.kind != null {
		if s := d.text(e.key, d.substituted(e.value, "")); s != "" {
			m := d.mountOf(s)
			if m.target != "" {
				mounted = path.Clean(m.target)
			}
			switch {
			case m.kind == "bind" && m.source != d.about.Checkout:
				d.refuse(e.key, e.at, "%s is a folder of the machine; the checkout is at %s without it", m.source, d.about.Checkout)
			case mounted == d.about.Checkout:
			case mayLead(mounted, d.about.Checkout):
				checkout = mounted
				d.note(e.key, e.at, "the checkout is at %s; %s leads there, where the workspace's user may make it", d.about.Checkout, mounted)
			default:
				d.note(e.key, e.at, "has no effect: the checkout is at %s", d.about.Checkout)
			}
		}
	}
	d.mounted = mounted
	e, ok := root.find("workspaceFolder")
	if !ok || e.value.kind == null {
		return "", checkout
	}
	folder = path.Clean(d.text(e.key, d.substituted(e.value, mounted)))
	for _, at := range []string{mounted, d.about.Checkout} {
		if rest, ok := strings.CutPrefix(folder+"/", at+"/"); ok {
			if rest == "" {
				return "", checkout
			}
			return path.Join(d.about.Checkout, rest), checkout
		}
	}
	d.note(e.key, e.at, "has no effect: %s is not in the checkout, which is at %s", folder, d.about.Checkout)
	return "", checkout
}

// mayLead reports whether a link to the checkout may be at a path: not in the place of what is there, nor in the checkout.
func mayLead(at, checkout string) bool {
	return path.IsAbs(at) && plain(at) && !reserved(at) && !strings.HasPrefix(at+"/", checkout+"/") && !strings.HasPrefix(checkout, at+"/")
}
