package agent

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// The most that a setup may want.
const (
	maxTasks        = 32
	maxSteps        = 200
	maxRepositories = 50
)

// checkSetup refuses what could be taken for something else: an option, a path, a second line.
func checkSetup(s agentapi.Setup) error {
	if !agentapi.ValidName(s.Name) {
		return fmt.Errorf("%q cannot name a folder of the workspace", s.Name)
	}
	for _, r := range []*agentapi.Repository{s.Repository, s.Dotfiles} {
		if r != nil {
			if err := checkRepository(*r); err != nil {
				return err
			}
		}
	}
	for _, r := range s.More {
		if err := checkRepository(r); err != nil {
			return err
		}
		if !folderBelow(r.Folder) {
			return fmt.Errorf("%q cannot be a folder of the workspace", r.Folder)
		}
	}
	for _, h := range s.GitHosts {
		if !hostForm.MatchString(h) {
			return fmt.Errorf("%q is not a host", h)
		}
	}
	for _, folder := range append([]string{s.Folder, s.Link}, s.Folders...) {
		if folder != "" && (!filepath.IsAbs(folder) || strings.ContainsRune(folder, 0)) {
			return fmt.Errorf("%q is not an absolute folder", folder)
		}
	}
	if len(s.More) > maxRepositories || len(s.Tasks) > maxTasks || len(s.Lifecycle) > maxSteps {
		return fmt.Errorf("a workspace has at most %d more repositories, %d tasks and %d steps", maxRepositories, maxTasks, maxSteps)
	}
	if err := checkEnv(s.Env, s.RemoteEnv); err != nil {
		return err
	}
	return checkJobs(s)
}

// checkJobs checks tasks and steps.
func checkJobs(s agentapi.Setup) error {
	seen := map[string]bool{mainTerminal: true}
	for _, t := range s.Tasks {
		if !agentapi.ValidName(t.ID) || seen[t.ID] {
			return fmt.Errorf("%q cannot name a task, or names two", t.ID)
		}
		seen[t.ID] = true
		if err := checkEnv(t.Env); err != nil {
			return err
		}
		if strings.ContainsRune(t.Before+t.Init+t.Then, 0) {
			return fmt.Errorf("the task %s has a zero byte in it", t.ID)
		}
	}
	for _, step := range s.Lifecycle {
		if stageOf(step.Stage) < 0 {
			return fmt.Errorf("%q is no stage of a workspace's life", step.Stage)
		}
		for _, p := range step.Parts {
			if (p.Shell == "") == (len(p.Argv) == 0) || strings.ContainsRune(p.Shell+strings.Join(p.Argv, ""), 0) || len(p.Argv) > 0 && p.Argv[0] == "" {
				return fmt.Errorf("%s has a part that is no command", step.Stage)
			}
		}
	}
	if s.WaitFor != "" && stageOf(s.WaitFor) < 0 {
		return fmt.Errorf("%q is no stage of a workspace's life", s.WaitFor)
	}
	return nil
}

func checkEnv(all ...map[string]string) error {
	for _, env := range all {
		for _, k := range slices.Sorted(maps.Keys(env)) {
			if k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(env[k], "\x00") {
				return fmt.Errorf("%q cannot name a variable", k)
			}
		}
	}
	return nil
}

// folderBelow reports whether a path with slashes leads to a folder below the workspace's root, by names alone.
func folderBelow(path string) bool {
	parts := strings.Split(path, "/")
	return len(parts) <= 8 && !slices.ContainsFunc(parts, func(name string) bool { return !agentapi.ValidName(name) })
}
