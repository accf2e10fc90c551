package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ownGit leaves of a checkout that another workspace made what a clone by us would have: Git's configuration is written anew,
// and what names programs, or folders elsewhere, is dropped. What ran there was anybody's who can push a branch.
func (a *Agent) ownGit(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Lstat(".git")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("its .git is no folder")
	}
	var modules []string // the folders of submodules, which begin where their HEAD is
	err = fs.WalkDir(root.FS(), ".git/modules", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == ".git/modules" {
			return nil
		}
		if err == nil && path.Base(name) == "HEAD" && !strings.Contains(name, "/logs/") && !strings.Contains(name, "/refs/") {
			modules = append(modules, path.Dir(name))
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, at := range append(modules, ".git") {
		if err := a.ownGitFolder(ctx, root, dir, at, at != ".git"); err != nil {
			return err
		}
	}
	return nil
}

func (a *Agent) ownGitFolder(ctx context.Context, root *os.Root, dir, at string, module bool) error {
	g := plumbing{agent: a, dir: dir}.strictly()
	was := func(key string) string { // which no include is followed for
		if info, err := root.Lstat(at + "/config"); err != nil || !info.Mode().IsRegular() {
			return ""
		}
		text, err := g.text(ctx, "config", "--no-includes", "--file", filepath.Join(dir, at, "config"), "--get", key)
		if err != nil {
			return "" // it says nothing of that
		}
		return text
	}
	config := "[core]\n\trepositoryformatversion = 0\n"
	if was("extensions.objectformat") == "sha256" {
		config = "[extensions]\n\tobjectformat = sha256\n[core]\n\trepositoryformatversion = 1\n"
	}
	config += "\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n"
	if tree := was("core.worktree"); module && filepath.IsLocal(filepath.Join(at, tree)) {
		config += "\tworktree = " + quoteGit(tree) + "\n"
	}
	config += "[remote \"origin\"]\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
	if url := was("remote.origin.url"); strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") {
		config += "\turl = " + quoteGit(url) + "\n"
	}
	for _, name := range []string{
		"config", "config.worktree", "hooks", "commondir", "gitdir", "worktrees", "info/attributes", "info/grafts",
		"objects/info/alternates", "objects/info/http-alternates",
	} {
		if err := root.RemoveAll(at + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return root.WriteFile(at+"/config", []byte(config), 0o644)
}
