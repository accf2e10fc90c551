package devfile

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/test/harness"
)

const samples = "../../internal/devfile/testdata/devcontainer"

// TestAsTheReferenceReads compares the plans of thirty files with what @devcontainers/cli reads in them.
func TestAsTheReferenceReads(t *testing.T) {
	needReference(t)
	files, err := filepath.Glob(samples + "/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	folder := t.TempDir()
	for _, from := range files {
		name := strings.TrimSuffix(filepath.Base(from), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			file := ".devcontainer/devcontainer.json"
			if strings.HasPrefix(name, "root-") {
				file = ".devcontainer.json"
			}
			checkout := filepath.Join(folder, name)
			if err := os.MkdirAll(filepath.Join(checkout, ".devcontainer"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(checkout, file), content, 0o644); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			want, err := reference(ctx, checkout, file)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := devfile.Parse(file, content, devfile.About{Checkout: "/workspace/" + name, ID: "${devcontainerId}"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(ofReference(want, path.Dir(file), name), ofPlan(plan, name)); diff != "" {
				t.Errorf("the reference (-) reads it in another way than the plan (+):\n%s", diff)
			}
		})
	}
}

// needReference skips the test where the reference program is not installed.
func needReference(t *testing.T) {
	t.Helper()
	harness.Need(t, "node")
	if _, err := os.Stat("node_modules/@devcontainers/cli"); err != nil {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatal("the reference program is not installed: make test/devfile/node_modules/.package-lock.json")
		}
		t.Skip("the reference program is not installed: make test/devfile/node_modules/.package-lock.json")
	}
}

// view is what both must agree on.
type view struct {
	Image, Dockerfile, Context, Target string
	Args, Env, RemoteEnv               map[string]string
	User, WaitFor, Folder              string
	Probe                              string
	Commands                           map[string][]string
	Ports                              map[string]attributes
	Forwarded                          []int
	Other                              attributes
	Volumes, Extensions                []string
	Features                           map[string]map[string]string
	Order                              []string
	CPUs                               int
	Memory, Storage                    int64
	GPU                                bool
}

// ofReference writes the reference's words as a view, by its documentation and nothing of Lanyard's.
func ofReference(r reading, folder, name string) view {
	c := r.Configuration
	v := view{Image: c.Image, Env: c.ContainerEnv, RemoteEnv: map[string]string{}, User: c.RemoteUser, WaitFor: c.WaitFor,
		Probe: c.UserEnvProbe, Folder: r.Workspace.WorkspaceFolder,
		Other: c.OtherPortsAttributes, Extensions: c.Customizations.VSCode.Extensions, CPUs: c.HostRequirements.CPUs,
		Ports: map[string]attributes{}, Commands: map[string][]string{}, Features: map[string]map[string]string{}}
	if v.User == "" {
		v.User = c.ContainerUser
	}
	if c.DockerFile != "" {
		c.Build = &build{Dockerfile: c.DockerFile, Context: c.Context}
	}
	if b := c.Build; b != nil {
		v.Dockerfile, v.Context, v.Target, v.Args = path.Join(folder, b.Dockerfile), path.Join(folder, b.Context), b.Target, b.Args
	}
	for k, value := range c.RemoteEnv {
		v.RemoteEnv[k] = *value
	}
	for stage, command := range map[string]any{"onCreateCommand": c.OnCreateCommand, "updateContentCommand": c.UpdateContentCommand,
		"postCreateCommand": c.PostCreateCommand, "postStartCommand": c.PostStartCommand, "postAttachCommand": c.PostAttachCommand} {
		if object, ok := command.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(object)) {
				v.Commands[stage] = append(v.Commands[stage], key+": "+said(object[key]))
			}
		} else if s := said(command); s != "" {
			v.Commands[stage] = []string{": " + s}
		}
	}
	app, ok := c.AppPort.([]any)
	if !ok && c.AppPort != nil {
		app = []any{c.AppPort}
	}
	for _, port := range slices.Concat(c.ForwardPorts, app) {
		s := fmt.Sprint(port)
		number, _ := strconv.Atoi(s[strings.LastIndex(s, ":")+1:])
		v.Forwarded = append(v.Forwarded, number)
	}
	slices.Sort(v.Forwarded)
	for port, a := range c.PortsAttributes {
		if a.OnAutoForward == "openBrowserOnce" {
			a.OnAutoForward = "openBrowser" // once at each start is how often a port is seen to open
		}
		v.Ports[port] = a
	}
	for _, m := range c.Mounts {
		if object, ok := m.(map[string]any); ok {
			v.Volumes = append(v.Volumes, object["target"].(string))
			continue
		}
		parts := strings.Split(m.(string), ",")
		for _, p := range parts {
			if key, value, _ := strings.Cut(p, "="); key == "target" || key == "dst" {
				if slices.Contains(parts, "readonly") {
					value += " read-only"
				}
				v.Volumes = append(v.Volumes, value)
			}
		}
	}
	for ref, options := range c.Features {
		if options == false {
			continue
		}
		given := map[string]string{}
		switch options := options.(type) {
		case string:
			given["version"] = options
		case map[string]any:
			for k, value := range options {
				given[k] = fmt.Sprint(value)
			}
		}
		v.Features[placed(ref, folder)] = given
	}
	for _, ref := range c.FeatureOrder {
		v.Order = append(v.Order, placed(ref, folder))
	}
	v.Memory, v.Storage = inBytes(c.HostRequirements.Memory), inBytes(c.HostRequirements.Storage)
	v.GPU = c.HostRequirements.GPU != nil && c.HostRequirements.GPU != "optional" && c.HostRequirements.GPU != false
	return v
}

func placed(ref, folder string) string {
	if strings.HasPrefix(ref, "./") {
		return "./" + path.Join(folder, ref)
	}
	return ref
}

func said(command any) string {
	if list, ok := command.([]any); ok {
		if len(list) == 0 {
			return ""
		}
		return fmt.Sprintf("%q", list)
	}
	if command == nil {
		return ""
	}
	return fmt.Sprint(command)
}

func inBytes(s string) int64 {
	for i, unit := range []string{"kb", "mb", "gb", "tb"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			number, _ := strconv.ParseInt(n, 10, 64)
			return number << (10 * (i + 1))
		}
	}
	return 0
}

func ofPlan(p *devfile.Plan, name string) view {
	v := view{Image: p.Image.Ref, Dockerfile: p.Image.Dockerfile, Context: p.Image.Context, Target: p.Image.Target, Args: p.Image.Args, Env: p.Env,
		RemoteEnv: map[string]string{}, User: p.User, WaitFor: string(p.WaitFor), Probe: p.Probe, Folder: p.Folder, Extensions: p.Extensions,
		Other: of(p.OtherPorts), CPUs: p.Needs.CPUs, Memory: p.Needs.Memory, Storage: p.Needs.Storage, GPU: p.Needs.GPU, Order: p.FeatureOrder,
		Ports: map[string]attributes{}, Commands: map[string][]string{}, Features: map[string]map[string]string{}}
	maps.Copy(v.RemoteEnv, p.RemoteEnv)
	if v.Folder == "" {
		v.Folder = "/workspace/" + name
	}
	if v.Dockerfile != "" && v.Context == "" {
		v.Context = "."
	}
	for _, step := range p.Lifecycle {
		var lines []string
		for _, part := range step.Parts {
			line := part.Shell
			if part.Argv != nil {
				line = fmt.Sprintf("%q", part.Argv)
			}
			lines = append(lines, part.Name+": "+line)
		}
		slices.Sort(lines)
		v.Commands[string(step.Stage)] = lines
	}
	for _, port := range p.Ports {
		key := strconv.Itoa(port.First)
		if port.Last != port.First {
			key += "-" + strconv.Itoa(port.Last)
		}
		if a := of(port); a != (attributes{}) {
			v.Ports[key] = a
		}
		if port.Forward {
			v.Forwarded = append(v.Forwarded, port.First)
		}
	}
	slices.Sort(v.Forwarded)
	for _, m := range p.Volumes {
		target := m.Target
		if m.ReadOnly {
			target += " read-only"
		}
		v.Volumes = append(v.Volumes, target)
	}
	for _, f := range p.Features {
		v.Features[f.Ref] = map[string]string{}
		maps.Copy(v.Features[f.Ref], f.Options)
	}
	return v
}

func of(p devfile.Port) attributes {
	return attributes{Label: p.Name, Protocol: p.Protocol, OnAutoForward: p.OnOpen, RequireLocalPort: p.RequireLocalPort, ElevateIfNeeded: p.Elevate}
}
