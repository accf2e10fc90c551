package docker

import (
	"context"
	"crypto/rand"
	"runtime"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/confine"
)

// Where things are in a workspace.
const (
	workspaceFolder = "/workspace"
	agentFolder     = "/opt/lanyard"
	agentProgram    = agentFolder + "/" + confine.AgentName
	socketFolder    = "/run/lanyard"
	privateFolder   = agentapi.PrivateFolder
)

// shmBytes is the size of /dev/shm.
const shmBytes = 1 << 30

// confined is what holds for every container, whatever a repository says: no network but the loopback, no capability, no new
// privileges, none of the host's namespaces. The system calls are bounded by the engine's profile and by the agent's own filter.
func confined() *container.HostConfig {
	no := false
	host := &container.HostConfig{
		NetworkMode: "none", CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
		IpcMode: container.IPCModePrivate, CgroupnsMode: container.CgroupnsModePrivate, ShmSize: shmBytes,
		// The host's resolvers and search domains are nobody's business inside, where they cannot be reached.
		DNS: []string{"127.0.0.1"}, DNSSearch: []string{"."},
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled}, Init: &no,
	}
	// What current engines hide of the kernel, older ones show in part.
	host.MaskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
		"/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware", "/sys/kernel/debug", "/sys/kernel/security",
	}
	host.ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	return host
}

// resources are a workspace's limits as the engine takes them. No memory is swapped out: what is more than the limit ends.
func (r *Runtime) resources(ctx context.Context, l workspace.Limits) (container.Resources, error) {
	var res container.Resources
	if l.CPUs > 0 {
		m, err := r.machineOf(ctx)
		if err != nil {
			return res, err
		}
		res.NanoCPUs = int64(min(l.CPUs, float64(m.processors)) * 1e9) // more than there are is refused
	}
	if l.Memory > 0 {
		res.Memory, res.MemorySwap = l.Memory, l.Memory
	}
	if l.Processes > 0 {
		n := l.Processes
		res.PidsLimit = &n
	}
	return res, nil
}

// baseName begins the names at the engine of what is a workspace's: for people, who see them in the engine's own tools.
func baseName(id identity.WorkspaceID) string { return "lanyard-" + id.Label() }

// containerName names the container of one start, beside which that of an earlier start may still be there.
func containerName(id identity.WorkspaceID) string {
	return baseName(id) + "-" + strings.ToLower(rand.Text()[:6])
}

// hostName makes a host name (RFC 1123: letters, digits, hyphens, at most 63) of a workspace's name.
func hostName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return '-'
	}, name)
	name = strings.Trim(name[:min(len(name), 63)], "-")
	if name == "" {
		return "workspace"
	}
	return name
}

// platform is this machine's, as images name it.
func platform() string { return "linux/" + runtime.GOARCH }
