// Package login tests signing in from somebody's own machine with the whole program: by a browser on it, by a code, what
// the session may do, and how it ends.
package login

import (
	"html"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

func TestLogin(t *testing.T) {
	w := harness.Start(t)
	l := harness.NewLaptop(w, "ada")
	if out, status := l.Run("whoami", "--context", w.Info.URL); status != 4 {
		t.Errorf("signed in nowhere: %d %s", status, out)
	}
	out, status := l.Login(harness.Address, func(to string) {
		if page := l.Answer(to, "on"); !strings.Contains(page, "You are signed in") {
			t.Errorf("the page that the browser ends at, from %s: %s", to, page)
		}
	}, "--no-browser")
	if status != 0 || !strings.Contains(out, "You are signed in at "+w.Info.URL) || !strings.Contains(out, "file that only you may read") {
		t.Fatalf("login: %d %s", status, out)
	}
	if out := l.Must("whoami"); !strings.Contains(out, "Ada Lovelace") || !strings.Contains(out, "payments") {
		t.Errorf("whoami: %s", out)
	}
	if out := l.Must("contexts"); !strings.Contains(out, "lanyard.localhost") {
		t.Errorf("contexts: %s", out)
	}
	ws := w.Workspace("ada", payments)
	if out := l.Must("exec", ws.ID, "--", "git", "log", "-1", "--format=%s"); strings.TrimSpace(out) == "" {
		t.Errorf("exec: %s", out)
	}
	if out := l.Must("list"); !strings.Contains(out, ws.ID) {
		t.Errorf("list: %s", out)
	}

	// Many at once share the tokens, each of which is good once.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if out, status := l.Run("whoami"); status != 0 {
				t.Errorf("one of many: %d %s", status, out)
			}
		})
	}
	all.Wait()

	// Nothing that is kept may be read by others.
	if err := filepath.WalkDir(l.Dir, func(path string, d fs.DirEntry, err error) error {
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

	elsewhere(w, l)
	done, err := w.Operator.Revoke(w.Context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"})
	if err != nil || done.Sessions == 0 {
		t.Fatalf("revoke: %+v %v", done, err)
	}
	if out, status := l.Run("whoami"); status != 4 {
		t.Errorf("after the revocation: %d %s", status, out)
	}
}

// elsewhere: what is kept, copied to another machine, is of no use there.
func elsewhere(w *harness.World, l *harness.Laptop) {
	w.T.Helper()
	thief := harness.NewLaptop(w, l.Who)
	if err := os.CopyFS(filepath.Join(thief.Dir, "lanyard"), os.DirFS(filepath.Join(l.Dir, "lanyard"))); err != nil {
		w.T.Fatal(err)
	}
	secrets, err := filepath.Glob(filepath.Join(thief.Dir, "lanyard", "secrets", "*.json"))
	if err != nil || len(secrets) != 1 {
		w.T.Fatalf("the secrets of one server: %v %v", secrets, err)
	}
	if err := os.Chmod(secrets[0], 0o644); err != nil {
		w.T.Fatal(err)
	}
	if out, status := thief.Run("whoami"); status != 3 || !strings.Contains(out, "may be read by others") {
		w.T.Errorf("a file that others may read: %d %s", status, out)
	}
	if err := os.Chmod(secrets[0], 0o600); err != nil {
		w.T.Fatal(err)
	}
	if out, status := thief.RunElsewhere("whoami"); status != 4 || !strings.Contains(out, "kept on another machine") {
		w.T.Errorf("on another machine: %d %s", status, out)
	}
	if out := l.Must("whoami"); !strings.Contains(out, "Ada Lovelace") {
		w.T.Errorf("whose tokens they are: %s", out)
	}
}

func TestLoginByCode(t *testing.T) {
	w := harness.Start(t)
	l := harness.NewLaptop(w, "ada")
	out, status := l.Login(harness.Typed, func(code string) {
		if page := l.Answer(w.Info.URL+"/oauth/device?user_code="+code, "on"); !strings.Contains(page, "client-allowed") {
			t.Errorf("the page: %s", page)
		}
	}, "--device")
	if status != 0 {
		t.Fatalf("login --device: %d %s", status, out)
	}
	if out := l.Must("whoami", "--json"); !strings.Contains(out, "ada@contoso.example") {
		t.Errorf("whoami: %s", out)
	}
	if out := l.Must("logout"); !strings.Contains(out, "signed out") {
		t.Errorf("logout: %s", out)
	}
	if out, status := l.Run("whoami", "--context", w.Info.URL); status != 4 {
		t.Errorf("after logout: %d %s", status, out)
	}
	out, status = l.Login(harness.Typed, func(code string) { l.Answer(w.Info.URL+"/oauth/device?user_code="+code, "no") }, "--device")
	if status != 3 || !strings.Contains(out, "You said no") {
		t.Errorf("no: %d %s", status, out)
	}
}

// A restart of the server in the middle of a sign-in by code loses nothing.
func TestRestartInTheMiddle(t *testing.T) {
	w := harness.Start(t)
	l := harness.NewLaptop(w, "ada")
	w.As("ada")
	out, status := l.Login(harness.Typed, func(code string) {
		w.Kill()
		w.Run()
		w.SignIn("ada")
		l.Answer(w.Info.URL+"/oauth/device?user_code="+code, "on")
	}, "--device")
	if status != 0 {
		t.Fatalf("login --device: %d %s", status, out)
	}
	if out := l.Must("whoami"); !strings.Contains(out, "Ada Lovelace") {
		t.Errorf("whoami: %s", out)
	}
}

var frame = regexp.MustCompile(`<iframe[^>]* src="([^"]+)"`)

// Who signs out at the tenant, in the browser by which the command was allowed, is signed out on the laptop too.
func TestSignedOutAtTheTenant(t *testing.T) {
	w := harness.Start(t)
	l := harness.NewLaptop(w, "ada")
	if out, status := l.Login(harness.Address, func(to string) { l.Answer(to, "on") }, "--no-browser"); status != 0 {
		t.Fatalf("login: %d %s", status, out)
	}
	l.Must("whoami")
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
	if out, status := l.Run("whoami"); status != 4 {
		t.Errorf("after signing out at the tenant: %d %s", status, out)
	}
}
