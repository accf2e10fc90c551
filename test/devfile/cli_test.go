// Package devfile compares how Lanyard reads devcontainer.json with how the reference program does.
package devfile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// reading is what the reference program says of a file, in its own words.
type reading struct {
	Configuration struct {
		Image                string
		DockerFile, Context  string
		Build                *build
		ContainerEnv         map[string]string
		RemoteEnv            map[string]*string
		RemoteUser           string
		ContainerUser        string
		UserEnvProbe         string
		WaitFor              string
		ForwardPorts         []any
		AppPort              any
		PortsAttributes      map[string]attributes
		OtherPortsAttributes attributes
		Mounts               []any
		Features             map[string]any
		FeatureOrder         []string `json:"overrideFeatureInstallOrder"`
		HostRequirements     struct {
			CPUs            int
			Memory, Storage string
			GPU             any
		}
		Customizations struct {
			VSCode struct{ Extensions []string }
		}
		OnCreateCommand, UpdateContentCommand, PostCreateCommand, PostStartCommand, PostAttachCommand any
	}
	Workspace struct{ WorkspaceFolder, WorkspaceMount string }
}

type build struct {
	Dockerfile, Context, Target string
	Args                        map[string]string
}

type attributes struct {
	Label, Protocol, OnAutoForward    string
	RequireLocalPort, ElevateIfNeeded bool
}

// reference asks the program to read the file of a repository. Where it says that the checkout is, /workspace/<name> stands
// in its answer, for a workspace has it there.
func reference(ctx context.Context, checkout, file string) (reading, error) {
	var r reading
	cmd := exec.CommandContext(ctx, "node", "node_modules/@devcontainers/cli/devcontainer.js", "read-configuration",
		"--workspace-folder", checkout, "--config", filepath.Join(checkout, file), "--mount-workspace-git-root=false", "--docker-path", "/bin/true")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(checkout)}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%w: %s%s", err, out, &stderr)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, err
	}
	_, mounted, _ := strings.Cut(r.Workspace.WorkspaceMount, "target=")
	mounted, _, _ = strings.Cut(mounted, ",")
	here := "/workspace/" + filepath.Base(checkout)
	text := strings.NewReplacer(checkout, here, mounted, here).Replace(string(out))
	r = reading{}
	return r, json.Unmarshal([]byte(text), &r)
}
