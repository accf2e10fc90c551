package devfile

import (
	"path"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Names of the files. A folder below .devcontainer may hold one more each.
const (
	gitpodFile       = ".gitpod.yml"
	devcontainerFile = ".devcontainer/devcontainer.json"
	dottedFile       = ".devcontainer.json"
)

// IsGitpod reports whether a file of this name is in Gitpod's format; the others are a devcontainer's.
func IsGitpod(file string) bool { return path.Ext(file) == ".yml" || path.Ext(file) == ".yaml" }

// Choice is which of a repository's files counts.
type Choice struct {
	File string // empty: the repository says nothing
	// Also are the others, for show: who looks for their effect learns why there is none.
	Also []string
}

// Folder is where a repository's files may be beside its root: this one and those right below it.
const Folder = ".devcontainer"

// Choose says which file counts, of all paths of a repository (more do no harm). What the project or the person names
// comes first; then .gitpod.yml, which is written for workspaces like these, then .devcontainer/devcontainer.json, then
// .devcontainer.json, then the first of .devcontainer/<folder>/devcontainer.json by name. wanted is such a path, or the
// name of such a folder; if it is not there that is a problem.NotFound which lists those that are.
func Choose(paths []string, wanted string) (Choice, error) {
	var found []string
	for _, p := range paths {
		if rank(p) > 0 && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	if wanted == "" {
		if len(found) == 0 {
			return Choice{}, nil
		}
		return Choice{File: found[0], Also: found[1:]}, nil
	}
	for i, p := range found {
		if p == wanted || p == path.Join(Folder, wanted, "devcontainer.json") {
			return Choice{File: p, Also: slices.Delete(found, i, i+1)}, nil
		}
	}
	there := "it has none"
	if len(found) > 0 {
		there = "it has " + strings.Join(found, ", ")
	}
	return Choice{}, problem.New(problem.NotFound, "The repository has no %s; %s.", wanted, there)
}

// rank orders the files; 0 is none of them.
func rank(p string) int {
	switch {
	case p == gitpodFile:
		return 1
	case p == devcontainerFile:
		return 2
	case p == dottedFile:
		return 3
	}
	if folder, ok := strings.CutPrefix(path.Dir(p), Folder+"/"); ok && path.Base(p) == "devcontainer.json" && folder != "" && !strings.Contains(folder, "/") && plain(folder) {
		return 4
	}
	return 0
}
