// Package login tests signing in from somebody's own machine with the whole program: by a browser on it, by a code, what
// the session may do, and how it ends.
package login

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

// laptop is a machine of somebody's: a folder for what the command keeps, and a browser in which they are signed in.
type laptop struct {
	w   *harness.World
	dir string
	who string
}

func newLaptop(w *harness.World, who string) *laptop {
	w.T.Helper()
	dir, err := os.MkdirTemp("", "ly-laptop-")
	if err != nil {
		w.T.Fatal(err)
	}
	w.T.Cleanup(func() { os.RemoveAll(dir) })
	return &laptop{w, dir, who}
}

func (l *laptop) command(args ...string) *exec.Cmd {
	cmd := exec.Command(l.w.Program(), args...)
	cmd.Env = []string{"HOME=" + l.dir, "PATH=" + os.Getenv("PATH"), "LANYARD_CONFIG_DIR=" + filepath.Join(l.dir, "lanyard"), "LANYARD_KEYCHAIN=off"}
	return cmd
}

// run runs a command and returns what it said, and its exit status.
func (l *laptop) run(args ...string) (string, int) {
	l.w.T.Helper()
	cmd := l.command(args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		l.w.T.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (l *laptop) must(args ...string) string {
	l.w.T.Helper()
	out, status := l.run(args...)
	if status != 0 {
		l.w.T.Fatalf("lanyard %s: %d\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

// login runs `lanyard login`, and does in the browser what it says. said is a pattern whose group is what is wanted.
func (l *laptop) login(said *regexp.Regexp, browse func(what string), flags ...string) (string, int) {
	l.w.T.Helper()
	cmd := l.command(append(append([]string{"login"}, flags...), l.w.Info.URL)...)
	end := time.AfterFunc(harness.Wait, func() { _ = cmd.Process.Kill() }) // gone already is as good
	defer end.Stop()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		l.w.T.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		l.w.T.Fatal(err)
	}
	var all strings.Builder
	for s := bufio.NewScanner(stderr); s.Scan(); {
		all.WriteString(s.Text() + "\n")
		if m := said.FindStringSubmatch(s.Text()); m != nil {
			browse(m[1])
			break
		}
	}
	rest, err := io.ReadAll(stderr)
	if err != nil {
		l.w.T.Fatal(err)
	}
	_ = cmd.Wait() // how it ended is its exit status
	return all.String() + string(rest) + out.String(), cmd.ProcessState.ExitCode()
}

var (
	address = regexp.MustCompile(`(http://lanyard\.localhost:\d+/oauth/authorize\S+)`)
	typed   = regexp.MustCompile(`^\s+([A-Z]{4}-[A-Z]{4})$`)
	hidden  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// answer opens a page in the person's browser and presses one of its buttons.
func (l *laptop) answer(page, button string) string {
	t := l.w.T
	t.Helper()
	browser := l.w.As(l.who).Browser.HTTP()
	get := func(r *http.Request) string {
		resp, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	r, err := http.NewRequest(http.MethodGet, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := get(r)
	if strings.Contains(body, `data-testid="client-code"`) { // a code is typed, and brought by no link
		to, err := url.Parse(page)
		if err != nil {
			t.Fatal(err)
		}
		typed := to.Query()
		to.RawQuery = ""
		if r, err = http.NewRequest(http.MethodPost, to.String(), strings.NewReader(typed.Encode())); err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", l.w.Info.URL)
		body = get(r)
	}
	fields := url.Values{"go": {button}}
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		fields.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	if len(fields) < 2 {
		t.Fatalf("no form to answer in: %s", body)
	}
	to, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	to.RawQuery = ""
	if r, err = http.NewRequest(http.MethodPost, to.String(), strings.NewReader(fields.Encode())); err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", l.w.Info.URL)
	return back(browser, t.Fatal, r)
}

// back follows the answer to where it leads on this machine: the port of loopback at which the command waits.
func back(browser *http.Client, fatal func(...any), r *http.Request) string {
	plain := *browser
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := plain.Do(r)
	if err != nil {
		fatal(err)
	}
	defer resp.Body.Close()
	if to := resp.Header.Get("Location"); to != "" {
		if resp, err = http.Get(to); err != nil { //nolint:gosec // it is the test's own loopback
			fatal(err)
		}
		defer resp.Body.Close()
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		fatal(err)
	}
	return string(body)
}

func TestLogin(t *testing.T) {
	w := harness.Start(t)
	l := newLaptop(w, "ada")
	if out, status := l.run("whoami", "--context", w.Info.URL); status != 4 {
		t.Errorf("signed in nowhere: %d %s", status, out)
	}
	out, status := l.login(address, func(to string) {
		if page := l.answer(to, "on"); !strings.Contains(page, "You are signed in") {
			t.Errorf("the page that the browser ends at, from %s: %s", to, page)
		}
	}, "--no-browser")
	if status != 0 || !strings.Contains(out, "You are signed in at "+w.Info.URL) || !strings.Contains(out, "file that only you may read") {
		t.Fatalf("login: %d %s", status, out)
	}
	if out := l.must("whoami"); !strings.Contains(out, "Ada Lovelace") || !strings.Contains(out, "payments") {
		t.Errorf("whoami: %s", out)
	}
	if out := l.must("contexts"); !strings.Contains(out, "lanyard.localhost") {
		t.Errorf("contexts: %s", out)
	}
	ws := w.Workspace("ada", payments)
	if out := l.must("exec", ws.ID, "--", "git", "log", "-1", "--format=%s"); strings.TrimSpace(out) == "" {
		t.Errorf("exec: %s", out)
	}
	if out := l.must("list"); !strings.Contains(out, ws.ID) {
		t.Errorf("list: %s", out)
	}

	// Many at once share the tokens, each of which is good once.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if out, status := l.run("whoami"); status != 0 {
				t.Errorf("one of many: %d %s", status, out)
			}
		})
	}
	all.Wait()

	// Nothing that is kept may be read by others.
	if err := filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}

	l.withoutKey(w)
	done, err := w.Operator.Revoke(w.Context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"})
	if err != nil || done.Sessions == 0 {
		t.Fatalf("revoke: %+v %v", done, err)
	}
	if out, status := l.run("whoami"); status != 4 {
		t.Errorf("after the revocation: %d %s", status, out)
	}
}

// withoutKey: the tokens, copied to another machine without the key, are of no use there.
func (l *laptop) withoutKey(w *harness.World) {
	w.T.Helper()
	thief := newLaptop(w, l.who)
	if err := os.CopyFS(filepath.Join(thief.dir, "lanyard"), os.DirFS(filepath.Join(l.dir, "lanyard"))); err != nil {
		w.T.Fatal(err)
	}
	secrets, err := filepath.Glob(filepath.Join(thief.dir, "lanyard", "secrets", "*.json"))
	if err != nil || len(secrets) != 1 {
		w.T.Fatalf("the secrets of one server: %v %v", secrets, err)
	}
	text, err := os.ReadFile(secrets[0])
	if err != nil {
		w.T.Fatal(err)
	}
	var kept map[string]any
	if err := json.Unmarshal(text, &kept); err != nil {
		w.T.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.T.Fatal(err)
	}
	if kept["key"], err = x509.MarshalPKCS8PrivateKey(other); err != nil {
		w.T.Fatal(err)
	}
	if text, err = json.Marshal(kept); err != nil {
		w.T.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(secrets[0], text, 0o600), os.Chmod(secrets[0], 0o644)); err != nil {
		w.T.Fatal(err)
	}
	if out, status := thief.run("whoami"); status != 3 || !strings.Contains(out, "may be read by others") {
		w.T.Errorf("a file that others may read: %d %s", status, out)
	}
	if err := os.Chmod(secrets[0], 0o600); err != nil {
		w.T.Fatal(err)
	}
	if out, status := thief.run("whoami"); status != 4 {
		w.T.Errorf("tokens without their key: %d %s", status, out)
	}
	if out := l.must("whoami"); !strings.Contains(out, "Ada Lovelace") {
		w.T.Errorf("whose tokens they are: %s", out)
	}
}

func TestLoginByCode(t *testing.T) {
	w := harness.Start(t)
	l := newLaptop(w, "ada")
	out, status := l.login(typed, func(code string) {
		if page := l.answer(w.Info.URL+"/oauth/device?user_code="+code, "on"); !strings.Contains(page, "client-allowed") {
			t.Errorf("the page: %s", page)
		}
	}, "--device")
	if status != 0 {
		t.Fatalf("login --device: %d %s", status, out)
	}
	if out := l.must("whoami", "--json"); !strings.Contains(out, "ada@contoso.example") {
		t.Errorf("whoami: %s", out)
	}
	if out := l.must("logout"); !strings.Contains(out, "signed out") {
		t.Errorf("logout: %s", out)
	}
	if out, status := l.run("whoami", "--context", w.Info.URL); status != 4 {
		t.Errorf("after logout: %d %s", status, out)
	}
	out, status = l.login(typed, func(code string) { l.answer(w.Info.URL+"/oauth/device?user_code="+code, "no") }, "--device")
	if status != 3 || !strings.Contains(out, "You said no") {
		t.Errorf("no: %d %s", status, out)
	}
}

// A restart of the server in the middle of a sign-in by code loses nothing.
func TestRestartInTheMiddle(t *testing.T) {
	w := harness.Start(t)
	l := newLaptop(w, "ada")
	w.As("ada")
	out, status := l.login(typed, func(code string) {
		w.Kill()
		w.Run()
		w.SignIn("ada")
		l.answer(w.Info.URL+"/oauth/device?user_code="+code, "on")
	}, "--device")
	if status != 0 {
		t.Fatalf("login --device: %d %s", status, out)
	}
	if out := l.must("whoami"); !strings.Contains(out, "Ada Lovelace") {
		t.Errorf("whoami: %s", out)
	}
}

var frame = regexp.MustCompile(`<iframe[^>]* src="([^"]+)"`)

// Who signs out at the tenant, in the browser by which the command was allowed, is signed out on the laptop too.
func TestSignedOutAtTheTenant(t *testing.T) {
	w := harness.Start(t)
	l := newLaptop(w, "ada")
	if out, status := l.login(address, func(to string) { l.answer(to, "on") }, "--no-browser"); status != 0 {
		t.Fatalf("login: %d %s", status, out)
	}
	l.must("whoami")
	resp, err := w.As("ada").Browser.Visit(w.Context(), strings.TrimSuffix(w.Info.Tenant.Issuer, "/v2.0")+"/oauth2/v2.0/logout")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	frames := frame.FindAllStringSubmatch(string(page), -1)
	if len(frames) == 0 {
		t.Fatalf("the tenant tells nobody: %s", page)
	}
	for _, f := range frames {
		told, err := w.Browser().Visit(w.Context(), html.UnescapeString(f[1])) // a frame of another site carries no cookie of Lanyard's
		if err != nil {
			t.Fatal(err)
		}
		told.Body.Close()
	}
	if out, status := l.run("whoami"); status != 4 {
		t.Errorf("after signing out at the tenant: %d %s", status, out)
	}
}
