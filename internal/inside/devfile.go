package inside

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxFile bounds a repository's file that describes a workspace, in bytes.
const maxFile = 1 << 20

func (a *app) validate() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "validate [FILE]", Short: "Check the file that describes this repository's workspaces", Args: cobra.MaximumNArgs(1),
		Long: `Checks the .gitpod.yml or devcontainer.json that counts in this repository, or the one that is named, before it is pushed:
what is wrong, with line and column, and what has no effect here. Nothing is built or run.`,
		Example: a.example("validate", "validate .devcontainer/devcontainer.json"),
		RunE: func(_ *cobra.Command, args []string) error {
			root, file, err := a.theFile(args)
			if err != nil {
				return err
			}
			content, err := readBounded(filepath.Join(root, filepath.FromSlash(file)))
			if err != nil {
				return err
			}
			v := devfile.Validate(file, content)
			if asJSON {
				if err := a.json(struct {
					File     string         `json:"file"`
					Findings []string       `json:"findings"`
					Notes    []devfile.Note `json:"notes"`
				}{file, append([]string{}, foundIn(v)...), append([]devfile.Note{}, v.Notes...)}); err != nil {
					return err
				}
			} else {
				for _, line := range foundIn(v) {
					fmt.Fprintln(a.c.Stdout, clean(line))
				}
				for _, n := range v.Notes {
					fmt.Fprintf(a.c.Stdout, "%s:%d:%d: note: %s: %s\n", clean(file), n.At.Line, n.At.Column, clean(n.Key), clean(n.Text))
				}
			}
			if len(v.Findings) > 0 {
				return statusError{exitFailed, fmt.Errorf("%s is not a workspace's description yet", file)}
			}
			if !asJSON {
				fmt.Fprintf(a.c.Stdout, "%s is good. It counts for new workspaces once it is committed and pushed; those that ran before keep what they began with.\n", clean(file))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func foundIn(v devfile.Verdict) []string {
	var lines []string
	for _, f := range v.Findings {
		lines = append(lines, f.String())
	}
	return lines
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, problem.Wrap(err, problem.NotFound, "%s cannot be read: %v", path, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() {
		return nil, problem.New(problem.Invalid, "%s is no file.", path)
	}
	if info.Size() > maxFile {
		return nil, problem.New(problem.Invalid, "%s has %s, and the most that is read of such a file is %d MiB. Make it smaller: what is long may stand in a script beside it.", path, bytesIn(info.Size()), maxFile>>20)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, problem.Wrap(err, problem.NotFound, "%s cannot be read: %v", path, errors.Unwrap(err))
	}
	return content, nil
}

// theFile is the repository's folder and, with slashes, the path of the file in it.
func (a *app) theFile(args []string) (root, file string, err error) {
	root, err = repositoryRoot()
	if err != nil {
		return "", "", err
	}
	if len(args) == 1 {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return "", "", fmt.Errorf("find %s: %w", args[0], err)
		}
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
			return root, filepath.ToSlash(rel), nil
		}
		return filepath.Dir(path), filepath.Base(path), nil
	}
	c, err := devfile.Choose(candidates(root), "")
	if err != nil {
		return "", "", err
	}
	if c.File == "" {
		return "", "", problem.New(problem.NotFound, "%s has neither .gitpod.yml nor devcontainer.json; `lanyard init` writes the first.", root)
	}
	return root, c.File, nil
}

// candidates are the paths at which such a file may be, of those that are there.
func candidates(root string) []string {
	var paths []string
	for _, pattern := range []string{".gitpod.yml", ".devcontainer.json", ".devcontainer/devcontainer.json", ".devcontainer/*/devcontainer.json"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern)) // the patterns are sound
		for _, f := range found {
			if rel, err := filepath.Rel(root, f); err == nil {
				paths = append(paths, filepath.ToSlash(rel))
			}
		}
	}
	return paths
}

// repositoryRoot is the folder of the checkout that this process stands in, or its own folder.
func repositoryRoot() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find this folder: %w", err)
	}
	for dir := here; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir, nil
		}
	}
	return here, nil
}

// beginnings are what a task may be for a repository that holds a file of that name.
var beginnings = []struct{ file, init, command string }{
	{"package-lock.json", "npm ci", "npm start"},
	{"package.json", "npm install", "npm start"},
	{"go.mod", "go mod download && go build ./...", "go run ."},
	{"requirements.txt", "pip install -r requirements.txt", "python main.py"},
	{"pyproject.toml", "pip install -e .", ""},
	{"Cargo.toml", "cargo build", "cargo run"},
	{"pom.xml", "mvn -B package -DskipTests", ""},
	{"build.gradle", "./gradlew build -x test", ""},
	{"Makefile", "make", ""},
}

func (a *app) initFile() *cobra.Command {
	var interactive bool
	cmd := &cobra.Command{
		Use: "init", Short: "Write a .gitpod.yml for this repository to begin with", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			root, err := repositoryRoot()
			if err != nil {
				return err
			}
			if there := candidates(root); len(there) > 0 {
				return problem.New(problem.Conflict, "%s has %s already; `lanyard validate` checks it.", root, strings.Join(there, ", "))
			}
			path := filepath.Join(root, ".gitpod.yml")
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
			if err != nil {
				return problem.Wrap(err, problem.Conflict, "%s cannot be written: %v", path, errors.Unwrap(err))
			}
			_, err = f.WriteString(sample(root))
			if e := f.Close(); err == nil {
				err = e
			}
			if err != nil {
				return fmt.Errorf("write %s: %w", path, err)
			}
			fmt.Fprintf(a.c.Stdout, "%s is written. Change it as you need, check it with `lanyard validate`, commit and push it.\n", path)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&interactive, "interactive", "i", false, "nothing is asked: the file is one to change; the flag is Gitpod's")
	return cmd
}

// sample is a file for the repository, by what is in it.
func sample(root string) string {
	i := slices.IndexFunc(beginnings, func(b struct{ file, init, command string }) bool {
		_, err := os.Stat(filepath.Join(root, b.file))
		return !errors.Is(err, fs.ErrNotExist)
	})
	text := "# What workspaces of this repository begin with. Every key is described in docs/workspaces.md of Lanyard.\ntasks:\n  - name: Setup\n"
	if i < 0 {
		return text + "    init: echo \"runs once, when the checkout is new\"\n    command: echo \"runs at every start\"\n"
	}
	text += "    init: " + beginnings[i].init + "\n"
	if beginnings[i].command != "" {
		text += "    command: " + beginnings[i].command + "\n"
	}
	return text
}
