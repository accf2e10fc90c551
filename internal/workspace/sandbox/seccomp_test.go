package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/workspace/confine"
)

// The filter by itself, on a process of the host's root that nothing else holds back. Beside each refusal the same
// attempt is made without the filter: where that ends in the same way, this machine cannot tell, and it is said.
func TestFilterRefusesEvenRoot(t *testing.T) {
	need(t)
	if os.Geteuid() != 0 {
		t.Skip("the attempts that the filter must refuse take root")
	}
	program, err := confine.Filter()
	if err != nil {
		t.Fatal(err)
	}
	filter := filepath.Join(t.TempDir(), "filter")
	if err := os.WriteFile(filter, program, 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for attempt, want := range map[string]string{
		"none": "ok", "socket-inet": "ok", "kill 0 0": "ok", "sigqueue 999999 15": "ESRCH",
		"mount " + dir: "EPERM", "umount /nowhere": "EPERM", "open_tree": "EPERM", "fsopen": "EPERM", "chroot /": "EPERM", "pivot_root /": "EPERM",
		"unshare-user": "EPERM", "unshare-net": "EPERM", "unshare-high": "EPERM", "clone-user": "EPERM", "clone3": "ENOSYS", "setns /proc/self/ns/uts": "EPERM",
		"keyctl": "EPERM", "add_key": "EPERM", "request_key": "EPERM", "bpf": "EPERM", "perf_event_open": "EPERM", "userfaultfd": "EPERM", "io_uring_setup": "EPERM",
		"name_to_handle_at": "EPERM", "open_by_handle_at": "EPERM", "syslog": "EPERM", "personality": "EPERM", "settimeofday": "EPERM", "swapon": "EPERM",
		"reboot": "EPERM", "init_module": "EPERM", "kexec_load": "EPERM", "quotactl": "EPERM",
		"socket-vsock": "EAFNOSUPPORT", "socket-packet": "EAFNOSUPPORT", "socket-alg": "EAFNOSUPPORT", "socket-high": "EAFNOSUPPORT",
		"tiocsti": "EPERM", "tiocsti-high": "EPERM",
		"prlimit 999999 0": "EPERM", "sigqueue 999999 11": "EPERM", "sigqueue-high 999999 11": "EPERM", "tgsigqueue 999999 11": "EPERM", "setsig 1 11": "EPERM",
		"x32": "ENOSYS", "i386": "ENOSYS",
	} {
		args := strings.Fields(attempt)
		with := probeHere(t, append([]string{"-filter", filter}, args...)...)
		if with != want {
			t.Errorf("%s with the filter: %s, want %s", attempt, with, want)
		}
		if want == "ok" || want == "ESRCH" {
			continue // a control: the filter lets it pass
		}
		if strings.HasPrefix(attempt, "setsig") {
			continue // it would really be sent
		}
		if without := probeHere(t, args...); without == want {
			t.Logf("%s: %s on this machine without the filter too, so this attempt tells nothing here", attempt, without)
		} else if strings.HasPrefix(attempt, "mount") && without == "ok" {
			probeHere(t, "umount", dir)
		}
	}
}

// probeHere runs the probe on the host.
func probeHere(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(built.probe, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("probe %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
