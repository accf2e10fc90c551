package setup

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/test/harness"
)

// draft is a configuration without what setup writes.
func (w *world) draft() string {
	return w.write("lanyard.yaml", w.here(`# Lanyard of Contoso
url: https://lanyard.contoso.example
data: /var/lib/lanyard
encryption_key_file: /etc/lanyard/encryption.key
domains: {workspaces: workspaces.contoso-apps.example}
runtimes: {sandbox: {trusted_users_only: true}}
`)+fmt.Sprintf("entra: {authority: %q, graph: %q} # the sample tenant\n", w.url, w.url+"/v1.0"), 0o644)
}

// registered are the applications that somebody registered.
func (w *world) registered() (ids []string) {
	w.t.Helper()
	client := w.client()
	r, err := newGet(w.context(), w.url+"/v1.0/applications", w.graphToken("margaret"))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct {
		Value []struct {
			AppID string `json:"appId"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		w.t.Fatal(err)
	}
	for _, a := range page.Value {
		ids = append(ids, a.AppID)
	}
	return ids
}

// The second time nothing changes, neither in the tenant nor in a file; before the first time nothing does either.
func TestSecondTimeChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.azLogin("margaret")
	file := w.draft()
	before := w.read("lanyard.yaml")
	if s := w.lanyard("entra", "setup", "--config", file, "--dry-run"); s.status != 0 || !strings.Contains(s.out, `register the application "Lanyard"`) ||
		!strings.Contains(s.out, "give margaret@contoso.example the role Lanyard.Admin") || !strings.Contains(s.out, "write that into "+file) {
		t.Errorf("--dry-run: %+v", s)
	}
	if s := w.lanyard("entra", "setup", "--config", file); s.status != 2 || !strings.Contains(s.err, "--yes") {
		t.Errorf("where nobody can be asked: %+v", s)
	}
	if w.read("lanyard.yaml") != before || len(w.registered()) != 0 {
		t.Fatal("a plan changes something")
	}
	if s := w.lanyard("entra", "setup", "--config", file, "--yes", "--assign", "payments-engineers"); s.status != 0 || !strings.Contains(s.out, "Lanyard is registered as") {
		t.Fatalf("the first time: %+v", s)
	}
	after, key := w.read("lanyard.yaml"), w.read("entra.pem")
	state := w.state()
	var second struct {
		Did     []any
		Changed bool
	}
	s := w.lanyard("entra", "setup", "--config", file, "--yes", "--assign", "payments-engineers", "--json")
	if err := json.Unmarshal([]byte(s.out), &second); err != nil || s.status != 0 || len(second.Did) != 0 || second.Changed {
		t.Errorf("the second time: %+v %v", s, err)
	}
	if s := w.lanyard("entra", "setup", "--config", file); s.status != 0 || !strings.Contains(s.out, "Nothing is to be changed.") {
		t.Errorf("the third time: %+v", s)
	}
	if w.read("lanyard.yaml") != after || w.read("entra.pem") != key || w.state() != state {
		t.Error("the second time changes something")
	}
	if s := w.lanyard("check", "--config", file); s.status != 0 {
		t.Errorf("check: %+v", s)
	}
	for name, want := range map[string]int{"entra.pem": 0o600, "lanyard.yaml": 0o644} {
		if info, err := os.Stat(filepath.Join(w.dir, name)); err != nil || int(info.Mode().Perm()) != want {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if got := strings.Join(files(t, w.dir), " "); got != "az-token bin encryption.key entra.pem lanyard.yaml" {
		t.Errorf("in the folder is %s", got)
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

// state is all that the tenant holds of what somebody registered.
func (w *world) state() string {
	w.t.Helper()
	var all []string
	for _, id := range w.registered() {
		app, _ := w.App(id)
		all = append(all, fmt.Sprintf("%+v %+v", app, w.Assignments(id)))
	}
	return strings.Join(all, "\n")
}

// Killed after every step, and run again each time, it completes; nothing is there twice.
func TestKilledAfterEachStep(t *testing.T) {
	w := newWorld(t)
	w.azLogin("margaret")
	file := w.draft()
	if err := w.SetFaults(entrasim.Faults{ReplicationLagSeconds: 0.2}); err != nil {
		t.Fatal(err)
	}
	for killed := 0; w.killedAtFirst("done:", "entra", "setup", "--config", file, "--yes", "--wait", "5s"); killed++ {
		if killed > 40 {
			t.Fatal("it does not get on")
		}
	}
	if s := w.lanyard("entra", "setup", "--config", file, "--dry-run"); s.status != 0 || !strings.Contains(s.out, "Nothing is to be changed.") {
		t.Errorf("afterwards: %+v", s)
	}
	ids := w.registered()
	if len(ids) != 1 || !strings.Contains(w.read("lanyard.yaml"), ids[0]) {
		t.Fatalf("registered are %v", ids)
	}
	if app, _ := w.App(ids[0]); len(app.Certificates) != 1 || len(w.Assignments(ids[0])) != 1 {
		t.Errorf("there are %d certificates and %d assignments", len(app.Certificates), len(w.Assignments(ids[0])))
	}
	if got := strings.Join(files(t, w.dir), " "); got != "az-token bin encryption.key entra.pem lanyard.yaml" {
		t.Errorf("in the folder is %s", got)
	}
}

// killedAtFirst runs the program and kills it when it says something; false: it ended before.
func (w *world) killedAtFirst(says string, args ...string) bool {
	w.t.Helper()
	cmd := w.command(w.context(), filepath.Join(w.bin, "lanyard"), args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	var errs harness.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	killed := false
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), says) && !killed {
			killed = cmd.Process.Kill() == nil
		}
	}
	if err := cmd.Wait(); err != nil && !killed {
		w.t.Fatalf("%v\n%s", err, errs.String())
	}
	return killed && !cmd.ProcessState.Success()
}

// The script registers the same: after it there is nothing left to do but to copy what it prints.
func TestScript(t *testing.T) {
	harness.Need(t, "openssl", "bash")
	w := newWorld(t)
	w.azLogin("margaret")
	file := w.draft()
	s := w.lanyard("entra", "setup", "--config", file, "--az", "--provisioning", "--assign", "payments-engineers")
	if s.status != 0 || len(w.registered()) != 0 {
		t.Fatalf("--az: %+v", s)
	}
	script := w.write("register.sh", s.out, 0o755)
	ctx, cancel := context.WithTimeout(t.Context(), 3*harness.Wait) // it is many commands
	defer cancel()
	out, err := w.command(ctx, "bash", script).CombinedOutput()
	if err != nil {
		t.Fatalf("the script: %v\n%s\n%s", err, out, s.out)
	}
	ids := w.registered() // one of them is for provisioning
	ids = slices.DeleteFunc(ids, func(id string) bool { return !strings.Contains(string(out), "client_id: "+id) })
	if len(ids) != 1 || len(w.registered()) != 2 {
		t.Fatalf("registered are %v; it says\n%s", w.registered(), out)
	}
	w.write("lanyard.yaml", strings.Replace(w.read("lanyard.yaml"), "entra: {", fmt.Sprintf("entra: {tenant: %q, client_id: %q, credential: {certificate_file: entra.pem, key_file: entra.pem}, ", tenantID, ids[0]), 1), 0o644)
	if s := w.lanyard("entra", "setup", "--config", file, "--assign", "payments-engineers", "--provisioning", "--dry-run"); s.status != 0 || !strings.Contains(s.out, "Nothing is to be changed.") {
		t.Errorf("after the script: %+v", s)
	}
	if _, err := exec.LookPath("shellcheck"); err == nil {
		if out, err := exec.Command("shellcheck", script).CombinedOutput(); err != nil {
			t.Errorf("shellcheck: %s", out)
		}
	}
}

// Who may not grant permissions is told where somebody else may; who may then does.
func TestWithoutTheRightToGrant(t *testing.T) {
	w := newWorld(t)
	w.azLogin("ken")
	file := w.draft()
	s := w.lanyard("entra", "setup", "--config", file, "--yes", "--admin", "margaret@contoso.example")
	if s.status != 0 || !strings.Contains(s.out, w.url+"/"+tenantID+"/adminconsent?client_id=") || !strings.Contains(s.out, "grant it User.Read.All at Microsoft Graph") {
		t.Fatalf("without the right to grant: %+v", s)
	}
	w.azLogin("margaret")
	s = w.lanyard("entra", "setup", "--config", file, "--yes")
	if s.status != 0 || strings.Contains(s.out, "adminconsent") || strings.Contains(s.out, "register the application") {
		t.Errorf("with it: %+v", s)
	}
}
