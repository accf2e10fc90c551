package serve

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// checkDoctor asks a server that runs how it stands with the tenant, also while the tenant does not take its secret, which
// is replaced in its file under it.
func checkDoctor(t *testing.T, w *harness.World, configuration, secretFile string) {
	t.Helper()
	secret, err := os.ReadFile(secretFile)
	if err != nil {
		t.Fatal(err)
	}
	doctor := func() (h api.DirectoryHealth, text string, status int) {
		t.Helper()
		out, err := exec.Command(w.Program(), "entra", "doctor", "--json", "--config", configuration).Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &h); err != nil {
			t.Fatalf("doctor says %s: %v", out, err)
		}
		if exit != nil {
			status = exit.ExitCode()
		}
		return h, string(out), status
	}
	w.Eventually("all is sound", func() bool {
		h, _, status := doctor()
		return status == 0 && h.Sound && len(h.Notifications.Subscriptions) == 2
	})
	h, _, _ := doctor()
	if !h.Leads || h.Directory.State != "fresh" || len(h.Credentials) != 1 || !h.Credentials[0].Works || h.Credentials[0].File != secretFile ||
		slices.ContainsFunc(h.Permissions, func(p api.PermissionHealth) bool { return !p.Granted }) || len(h.Permissions) != 3 {
		t.Errorf("doctor says %+v", h)
	}
	if err := os.WriteFile(secretFile, []byte("a secret that is not the app's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, text, status := doctor()
	if status != 1 || h.Sound || h.Credentials[0].Works || len(h.Findings) == 0 || !h.Findings[0].Problem || h.Findings[0].Do == "" ||
		!strings.Contains(h.Findings[0].Says, "AADSTS7000215") || strings.Contains(text, "not the app's") {
		t.Errorf("with another secret doctor says, with status %d, %s", status, text)
	}
	if out, err := exec.Command(w.Program(), "entra", "doctor", "--config", configuration).Output(); err == nil || !strings.Contains(string(out), "There is something to mend.") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	if err := os.WriteFile(secretFile, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	if h, text, status := doctor(); status != 0 || !h.Sound {
		t.Errorf("with its own secret again doctor says, with status %d, %s", status, text)
	}
}
