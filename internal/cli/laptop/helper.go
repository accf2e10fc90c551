package laptop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// HelperName is the program that Git runs for addresses that begin with Scheme (gitremote-helpers(7)).
const (
	HelperName = "git-remote-lanyard"
	Scheme     = "lanyard::"
)

// Address is what Git is told instead of a repository's URL: the helper, and the path at the server that stands for it.
func Address(server, repository string) (string, error) {
	u, err := url.Parse(repository)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", problem.New(problem.Invalid, "%q is not the address of a repository; write https://HOST/PATH.", repository)
	}
	return Scheme + server + GitPrefix + u.Host + strings.TrimSuffix(u.EscapedPath(), "/"), nil
}

// Split takes an address apart that Address made; Git may have taken Scheme away.
func Split(address string) (server, path string, err error) {
	u, err := url.Parse(strings.TrimPrefix(address, Scheme))
	if err != nil || u.Host == "" || u.User != nil || !strings.HasPrefix(u.EscapedPath(), GitPrefix) {
		return "", "", problem.New(problem.Invalid, "%q is not an address that `lanyard git setup` makes: lanyard::https://SERVER/git/HOST/PATH.", address)
	}
	return u.Scheme + "://" + u.Host, u.EscapedPath(), nil
}

// Helper is one run of Git's helper.
type Helper struct {
	Remote         string // what Git calls the remote
	Path           string // as Split returns it
	URL            string // of the server
	Server         http.RoundTripper
	Environ        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run lets Git's own program for HTTP speak to the server, through a door of its own that passes on this repository alone.
func (h Helper) Run(ctx context.Context) error {
	door, err := Open(ctx, Config{URL: h.URL, Server: h.Server, Only: h.Path})
	if err != nil {
		return err
	}
	defer door.Close()
	cmd := exec.CommandContext(ctx, "git", "remote-http", h.Remote, door.URL+h.Path)
	cmd.Cancel = func() error { return Interrupt(cmd.Process) }
	cmd.Env = WithGitConfig(h.Environ, door.gitConfig())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = h.Stdin, h.Stdout, h.Stderr
	err = cmd.Run()
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &ended):
		return Ended(ended.ExitCode()) // it has said why
	case err != nil:
		return problem.Wrap(err, problem.Invalid, "Git's own program for HTTP (git remote-http) does not start: %v.", err)
	}
	return nil
}

// Interrupt ends a program gently, or where the operating system has no such thing, at once.
func Interrupt(p *os.Process) error {
	if err := p.Signal(os.Interrupt); err == nil || errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return p.Kill()
}

// Ended is the exit status of a program that has said itself what was wrong.
type Ended int

func (e Ended) Error() string { return fmt.Sprintf("it ended with status %d", int(e)) }

// Setting is one line of Git's configuration.
type Setting struct{ Key, Value string }

// gitConfig lets Git pass the door: its key in a header, and nothing that would send the request elsewhere or ask for a
// password.
func (d *Door) gitConfig() []Setting {
	at := "http." + d.URL + "/."
	return []Setting{
		{at + "extraHeader", KeyHeader + ": " + d.Key},
		{at + "proxy", ""},
		{at + "followRedirects", "false"},
		{"credential." + d.URL + ".helper", ""}, // an empty one drops those before
	}
}

// WithGitConfig adds settings to an environment, after those that stand in it already (git-config(1), GIT_CONFIG_COUNT).
func WithGitConfig(environ []string, settings []Setting) []string {
	n := 0
	var out []string
	for _, line := range environ {
		if count, ok := strings.CutPrefix(line, "GIT_CONFIG_COUNT="); ok {
			if had, err := strconv.Atoi(count); err == nil && had > 0 {
				n = had
			}
			continue
		}
		out = append(out, line)
	}
	for _, s := range settings {
		out = append(out, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, s.Key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, s.Value))
		n++
	}
	return append(out, "GIT_CONFIG_COUNT="+strconv.Itoa(n), "GIT_TERMINAL_PROMPT=0")
}
