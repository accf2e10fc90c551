package harness

import (
	"bufio"
	"bytes"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Laptop is a machine of somebody's: a folder for what the command keeps, and a browser in which they are signed in.
type Laptop struct {
	World *World
	Dir   string // the home folder
	Who   string // the sample user
}

// NewLaptop is a machine on which nobody is signed in yet.
func NewLaptop(w *World, who string) *Laptop {
	w.T.Helper()
	dir, err := os.MkdirTemp("", "ly-laptop-")
	if err != nil {
		w.T.Fatal(err)
	}
	w.T.Cleanup(func() { os.RemoveAll(dir) })
	return &Laptop{World: w, Dir: dir, Who: who}
}

// Command is a command of the command line on this machine, with what its user has in the environment.
func (l *Laptop) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(l.World.Program(), args...)
	cmd.Env = []string{"HOME=" + l.Dir, "PATH=" + os.Getenv("PATH"), "LANYARD_CONFIG_DIR=" + filepath.Join(l.Dir, "lanyard"), "LANYARD_KEYCHAIN=off"}
	return cmd
}

// Run runs a command and returns what it said, and its exit status.
func (l *Laptop) Run(args ...string) (string, int) {
	l.World.T.Helper()
	cmd := l.Command(args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		l.World.T.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// RunElsewhere is Run on another machine, as the operating system tells machines apart.
func (l *Laptop) RunElsewhere(args ...string) (string, int) {
	l.World.T.Helper()
	id := filepath.Join(l.Dir, "machine-id")
	if err := os.WriteFile(id, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		l.World.T.Fatal(err)
	}
	if _, err := os.Stat("/etc/machine-id"); err != nil {
		l.World.T.Skip("this machine has no /etc/machine-id that another one could be told by")
	}
	cmd := l.Command(args...)
	there := exec.Command("bwrap", append([]string{"--dev-bind", "/", "/", "--bind", id, "/etc/machine-id", "--"}, cmd.Args...)...)
	there.Env = cmd.Env
	out, err := there.CombinedOutput()
	if err != nil && there.ProcessState == nil {
		l.World.T.Fatal(err)
	}
	return string(out), there.ProcessState.ExitCode()
}

// Must runs a command that has to succeed.
func (l *Laptop) Must(args ...string) string {
	l.World.T.Helper()
	out, status := l.Run(args...)
	if status != 0 {
		l.World.T.Fatalf("lanyard %s: %d\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

// Login runs `lanyard login`, and does in the browser what it says. said is a pattern whose group is what is wanted.
func (l *Laptop) Login(said *regexp.Regexp, browse func(what string), flags ...string) (string, int) {
	l.World.T.Helper()
	cmd := l.Command(append(append([]string{"login"}, flags...), l.World.Info.URL)...)
	end := time.AfterFunc(Wait, func() { _ = cmd.Process.Kill() }) // gone already is as good
	defer end.Stop()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		l.World.T.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		l.World.T.Fatal(err)
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
		l.World.T.Fatal(err)
	}
	_ = cmd.Wait() // how it ended is its exit status
	return all.String() + string(rest) + out.String(), cmd.ProcessState.ExitCode()
}

// What `lanyard login` says: the address for a browser on this machine, or the code to type elsewhere.
var (
	Address = regexp.MustCompile(`(http://lanyard\.localhost:\d+/oauth/authorize\S+)`)
	Typed   = regexp.MustCompile(`^\s+([A-Z]{4}-[A-Z]{4})$`)
)

// Answer opens a page in the person's browser and presses one of its buttons.
func (l *Laptop) Answer(page, button string) string {
	t := l.World.T
	t.Helper()
	browser := l.World.As(l.Who).Browser.HTTP()
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
		r.Header.Set("Origin", l.World.Info.URL)
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
	r.Header.Set("Origin", l.World.Info.URL)
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

// SignIn signs the person in on this machine.
func (l *Laptop) SignIn() *Laptop {
	l.World.T.Helper()
	if out, status := l.Login(Address, func(to string) { l.Answer(to, "on") }, "--no-browser"); status != 0 {
		l.World.T.Fatalf("lanyard login: %d\n%s", status, out)
	}
	return l
}
