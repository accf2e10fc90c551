package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

const (
	prebuiltRounds = 8
	prebuiltURL    = "https://legacy.example.test/payments/legacy"
	prebuiltFile   = "tasks:\n  - init: mkdir made && for i in {1..400}; do head -c 8192 /dev/urandom >made/$i; done && touch made/done\n"
)

// prebuilt measures the time from the click that makes a workspace until what its repository's `init` task makes (400 files of
// 8 KiB, by as many processes) is there: from a prebuild, beside a branch of the same files that has none. They take turns.
func (w *devWorld) prebuilt(ctx context.Context, figure string) error {
	files := map[string]string{".gitpod.yml": prebuiltFile, ".gitignore": "made\n"}
	if err := w.commit(ctx, "plain", "main", files); err != nil {
		return err
	}
	if err := w.commit(ctx, "main", "main", files); err != nil {
		return err
	}
	if err := w.prebuild(ctx); err != nil {
		return fmt.Errorf("the prebuild: %w", err)
	}
	var with, without []float64
	for round := range prebuiltRounds + 1 {
		one, err := w.initialised(ctx, "main", true)
		if err != nil {
			return err
		}
		other, err := w.initialised(ctx, "plain", false)
		if err != nil {
			return err
		}
		if round > 0 {
			with, without = append(with, ms(one)), append(without, ms(other))
			tell("  with its prebuild in %.0f ms, without in %.0f ms", ms(one), ms(other))
		}
	}
	compare(figure+".p50@prebuild", median(with), "ms", "init", median(without))
	return nil
}

// commit puts files on a branch at the Git server, on top of another.
func (w *devWorld) commit(ctx context.Context, branch, on string, files map[string]string) error {
	tree, err := os.MkdirTemp("", "lyb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Env = append(os.Environ(), "GIT_DIR="+filepath.Join(w.data, "legacy", "payments/legacy.git"), "GIT_WORK_TREE="+tree, "GIT_INDEX_FILE="+filepath.Join(tree, ".index"),
			"GIT_CONFIG_NOSYSTEM=1", "HOME="+tree, "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@contoso.example", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@contoso.example")
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("git %s: %w", args[0], err)
		}
		return strings.TrimSpace(string(out)), nil
	}
	if _, err := git("read-tree", on); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
			return err
		}
		if _, err := git("add", "-f", "--", name); err != nil {
			return err
		}
	}
	whole, err := git("write-tree")
	if err != nil {
		return err
	}
	id, err := git("commit-tree", "-p", on, "-m", "What is needed for "+branch, whole)
	if err != nil {
		return err
	}
	_, err = git("update-ref", "refs/heads/"+branch, id)
	return err
}

// prebuild has one made of main, by a maintainer.
func (w *devWorld) prebuild(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	path := filepath.Join(w.data, "projects", "payments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	with := strings.Replace(string(text), "- url: "+prebuiltURL+"\n", "- url: "+prebuiltURL+"\n    prebuilds: {branches: [main]}\n", 1)
	if err := os.WriteFile(path, []byte(with), 0o644); err != nil {
		return err
	}
	user, err := w.info.User("grace")
	if err != nil {
		return err
	}
	grace, err := w.info.SignIn(ctx, user)
	if err != nil {
		return err
	}
	defer grace.Browser.Close()
	defer grace.Close()
	pause := func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
			return nil
		}
	}
	p, err := grace.RunPrebuild(ctx, api.RunPrebuild{ContextURL: prebuiltURL})
	for err != nil { // the project's file is not in force yet
		if late := pause(); late != nil {
			return errors.Join(late, err)
		}
		p, err = grace.RunPrebuild(ctx, api.RunPrebuild{ContextURL: prebuiltURL})
	}
	for p.Ended == nil {
		if err := pause(); err != nil {
			return err
		}
		if p, err = grace.Prebuild(ctx, p.ID); err != nil {
			return err
		}
	}
	if p.State != "done" {
		return fmt.Errorf("it is %s: %s", p.State, p.Message)
	}
	return nil
}

// initialised makes a workspace of a branch, waits until what init makes is there, and deletes the workspace.
func (w *devWorld) initialised(ctx context.Context, branch string, prebuilt bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	click := time.Now()
	ws, err := w.ada.CreateWorkspace(ctx, api.Order{ContextURL: prebuiltURL + "/tree/" + branch})
	if err != nil {
		return 0, err
	}
	if ws, err = w.reach(ctx, ws.ID, "running"); err != nil {
		return 0, err
	}
	code, err := w.ada.Exec(ctx, ws.ID, agentapi.ExecRequest{Argv: []string{"bash", "-c", "until [ -e /workspace/legacy/made/done ]; do sleep 0.01; done"}}, agentapi.Streams{})
	if err == nil && code != 0 {
		err = fmt.Errorf("waiting for init ended with %d", code)
	}
	if err != nil {
		return 0, err
	}
	took := time.Since(click)
	if (ws.Prebuild != "") != prebuilt {
		return 0, fmt.Errorf("the workspace of %s began with prebuild %q", branch, ws.Prebuild)
	}
	return took, w.delete(ctx, ws.ID)
}
