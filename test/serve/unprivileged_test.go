package serve

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

// nobody is a user of no account, without any privilege.
const nobody = 64321

// TestUnprivileged: a user without privileges runs the server, on sockets that a service manager has opened and that it
// tells when the server is ready; people work in workspaces as ever.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	harness.Need(t, "systemd-socket-activate")
	i := newInstallation(t)
	if os.Geteuid() == 0 {
		i.owner = nobody
	}
	plain := harness.FreePort(t)
	files := i.certificate("all", pagesHost, "*."+workspaceDomain, "*."+appDomain)
	file := i.configure(fmt.Sprintf("tls: {cert_file: %s, key_file: %s, plain: 127.0.0.1:%d}", files.Cert, files.Key, plain))
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: i.in("manager"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := os.Chmod(i.in("manager"), 0o777); err != nil {
		t.Fatal(err)
	}
	told := func(want string) {
		t.Helper()
		_ = manager.SetReadDeadline(time.Now().Add(harness.Wait))
		text := make([]byte, 100)
		n, err := manager.Read(text)
		if err != nil || string(text[:n]) != want {
			t.Errorf("the service manager is told %q (%v), not %s", text[:n], err, want)
		}
	}
	i.begin(file, "systemd-socket-activate", "-E", "SSL_CERT_FILE="+i.in("ca.pem"), "-E", "NOTIFY_SOCKET="+i.in("manager"),
		"-l", fmt.Sprintf("127.0.0.1:%d", i.listen), "-l", fmt.Sprintf("127.0.0.1:%d", plain))
	i.eventually("the first who comes starts the server", func() bool { i.leaf(pagesHost); return i.says("Lanyard serves") })
	told("READY=1")
	i.knows()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if i.owner != 0 && (!strings.Contains(string(status), fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d", nobody)) || !strings.Contains(string(status), "CapEff:\t0000000000000000")) {
		t.Errorf("the server runs as\n%s", status)
	}
	person := i.person(i.authority.pool(), "127.0.0.1")
	ada := i.ada(person)
	ws := i.workspace(ada)
	i.works(i.terminal(person, ws), "of an unprivileged server")
	i.checkPlain(plain)
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", i.cmd.Process.Pid))
	if err != nil || !strings.Contains(string(environment), "LISTEN_FDS=2") {
		t.Errorf("it was not started with sockets: %v", err)
	}
	if err := ada.DeleteWorkspace(i.within(), ws.ID); err != nil {
		t.Error(err)
	}
	i.stop()
	told("STOPPING=1")
}

// TestSocketOfNobodys: a socket that the configuration does not name is refused rather than left unanswered.
func TestSocketOfNobodys(t *testing.T) {
	t.Parallel()
	harness.Need(t, "systemd-socket-activate")
	i := newInstallation(t)
	files := i.certificate("all", pagesHost, "*."+workspaceDomain, "*."+appDomain)
	port := harness.FreePort(t)
	i.begin(i.configure(fmt.Sprintf("tls: {cert_file: %s, key_file: %s}", files.Cert, files.Key)), "systemd-socket-activate", "-l", fmt.Sprintf("127.0.0.1:%d", port))
	client := http.Client{Timeout: time.Second}
	i.eventually("it ends", func() bool {
		if resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port)); err == nil {
			resp.Body.Close()
		}
		select {
		case <-i.exited:
			return true
		default:
			return false
		}
	})
	if said := i.log.String(); !strings.Contains(said, fmt.Sprintf("127.0.0.1:%d was handed over", port)) {
		t.Errorf("it said %s", said)
	}
}

// TestUnits: systemd finds nothing to say of the units that Lanyard ships.
func TestUnits(t *testing.T) {
	harness.Need(t, "systemd-analyze")
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var units []string
	for _, name := range []string{"lanyard.service", "lanyard.socket"} {
		text, err := os.ReadFile("../../packaging/" + name)
		if err != nil {
			t.Fatal(err)
		}
		unit := filepath.Join(dir, name)
		if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/lanyard", filepath.Join(bin, "lanyard"))), 0o644); err != nil {
			t.Fatal(err)
		}
		units = append(units, unit)
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	for line := range strings.Lines(string(out)) { // of the units that others installed here there may be more to say
		if strings.Contains(line, "lanyard.") {
			t.Errorf("systemd says %s", line)
		}
	}
	if err != nil {
		t.Logf("systemd-analyze: %v: %s", err, out)
	}
}
