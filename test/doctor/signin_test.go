package doctor

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/test/harness"
)

// scim sends a request as a provisioning service and returns the ID in the answer.
func (w *world) scim(method, path, secret, body string) string {
	w.Helper()
	r, err := http.NewRequest(method, w.url+"/scim/v2"+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/scim+json")
	c := w.client()
	defer c.CloseIdleConnections()
	res, err := c.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	var made struct {
		ID string `json:"id"`
	}
	if res.StatusCode/100 != 2 {
		text, _ := io.ReadAll(res.Body)
		w.Fatalf("%s %s: %s %s", method, path, res.Status, text)
	}
	_ = json.NewDecoder(res.Body).Decode(&made) // a deletion has no answer
	return made.ID
}

// TestSignIn: a test shows a person, and who asked for it, the claims that came and the roles that follow; no session
// begins; the link works once.
func TestSignIn(t *testing.T) {
	w := newWorld(t, time.Now().AddDate(0, 3, 0), allHosts...)
	w.sound()
	operator := w.operator()
	defer operator.Close()
	test, err := operator.NewSignInTest(t.Context())
	if err != nil || test.State != "waiting" || test.URL == "" {
		t.Fatalf("%+v %v", test, err)
	}
	b := browser.New()
	defer b.Close()
	res, err := b.Through(t.Context(), test.URL, "margaret@contoso.example", "lanyard-margaret")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(page), "Margaret Hamilton") || !strings.Contains(string(page), "preferred_username") || !strings.Contains(string(page), "admin") {
		t.Errorf("the page is %s %s %v", res.Status, page, err)
	}
	done, err := operator.SignInTest(t.Context(), test.ID)
	if err != nil || done.State != "done" || done.Name != "Margaret Hamilton" || !done.Known || !done.Active || !done.Renewed || !slices.Contains(done.Roles, "admin") || done.URL != "" {
		t.Errorf("%+v %v", done, err)
	}
	for _, name := range []string{"oid", "auth_time", "groups"} {
		if !slices.ContainsFunc(done.Claims, func(c api.Claim) bool { return c.Name == name && c.Value != "" }) {
			t.Errorf("the claim %s is missing in %+v", name, done.Claims)
		}
	}
	for _, name := range []string{"nonce", "sid", "login_hint"} {
		if slices.ContainsFunc(done.Claims, func(c api.Claim) bool { return c.Name == name }) {
			t.Errorf("the claim %s is shown", name)
		}
	}
	if signIns, err := operator.SignIns(t.Context(), "*"); err != nil || len(signIns) != 0 {
		t.Errorf("a session began: %+v %v", signIns, err)
	}
	other := browser.New()
	defer other.Close()
	if again, err := other.Visit(t.Context(), test.URL); err != nil || again.StatusCode != http.StatusBadRequest {
		t.Errorf("the link works twice: %v %v", again, err)
	} else {
		again.Body.Close()
	}
}

// TestCommand: the command waits for the person who opens its link, shows what came, and writes a report that names
// nobody and is looked at again without a server.
func TestCommand(t *testing.T) {
	w := newWorld(t, time.Now().AddDate(0, 3, 0), allHosts...)
	w.sound()
	report := filepath.Join(w.dir, "report.json")
	status, out := w.interactive("entra", "doctor", "--config", w.config(), "--sign-in", "--report", report)
	if status != 0 || !strings.Contains(out, "Test sign-in of Ada Lovelace") || !strings.Contains(out, "payments-engineers") || !strings.Contains(out, "All is sound.") {
		t.Errorf("status %d:\n%s", status, out)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{"Ada Lovelace", "ada@", "contoso", "67224801", w.dir, secret, "payments"} {
		if strings.Contains(strings.ToLower(string(text)), strings.ToLower(trace)) {
			t.Errorf("%s stands in the report:\n%s", trace, text)
		}
	}
	w.end(syscall.SIGTERM)
	again, replayed := w.doctor("--replay", report)
	if replayed.Status != 0 || !again.Sound || len(again.Findings) != 0 || again.SignIn == nil || again.SignIn.State != "done" {
		t.Errorf("looked at again: %+v", replayed)
	}
	if said := w.lanyard("entra", "doctor", "--config", w.config(), "--report", report); said.Status == 0 || !strings.Contains(said.Err, "exists") {
		t.Errorf("a report was written over: %+v", said)
	}
}

// interactive runs a command that prints a link on its standard error, opens that as ada, and returns what the command
// ended with and printed.
func (w *world) interactive(args ...string) (status int, out string) {
	w.Helper()
	bin, err := harness.Programs()
	if err != nil {
		w.Fatal(err)
	}
	cmd := exec.CommandContext(w.Context(), filepath.Join(bin, "lanyard"), args...)
	var printed, said harness.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &said
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	link := regexp.MustCompile(`https://\S+/login/test\?code=\S+`)
	w.eventually("a link is printed", func() string {
		if link.MatchString(said.String()) {
			return ""
		}
		return "so far: " + said.String()
	})
	b := browser.New()
	defer b.Close()
	res, err := b.Through(w.Context(), link.FindString(said.String()), "ada@contoso.example", "lanyard-ada")
	if err != nil {
		w.Fatal(err)
	}
	res.Body.Close()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		w.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), printed.String() + said.String()
}
