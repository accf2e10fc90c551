package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

var (
	hostForm   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)
	commitForm = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
	keyForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*(\.[^\x00-\x1f]+)?\.[A-Za-z][A-Za-z0-9-]*$`)
)

// checkRepository refuses what Git could take for an option or another transport than HTTP.
func checkRepository(r agentapi.Repository) error {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("%q is not the http or https address of a repository", r.URL)
	case u.User != nil:
		return errors.New("the repository's address has a user or a password in it")
	case strings.HasPrefix(r.Ref, "-") || strings.ContainsAny(r.Ref, " ~^:?*[\\") || strings.Contains(r.Ref, "..") || hasControl(r.Ref):
		return fmt.Errorf("%q is not a branch, tag or commit", r.Ref)
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// clone makes a checkout of r in dir, which is not there yet.
func (a *Agent) clone(ctx context.Context, r agentapi.Repository, dir string, say func(agentapi.Progress)) error {
	args := []string{"clone", "--progress"}
	commit := commitForm.MatchString(r.Ref)
	whole := wholeRef(r.Ref)
	switch branch := strings.TrimPrefix(strings.TrimPrefix(r.Ref, "refs/heads/"), "refs/tags/"); {
	case whole:
		args = append(args, "--no-checkout")
	case branch != "" && !commit:
		args = append(args, "--branch", branch)
	}
	say(agentapi.Progress{Phase: "clone", Text: "git clone " + r.URL})
	if err := a.git(ctx, a.config.Workspace, "clone", say, append(args, "--", r.URL, dir)...); err != nil {
		return err
	}
	if whole {
		return a.checkoutRef(ctx, r.Ref, dir, say)
	}
	if !commit {
		return nil
	}
	// A commit, or a branch or tag whose name looks like one: git-checkout tells them apart.
	say(agentapi.Progress{Phase: "checkout", Text: "git checkout " + r.Ref})
	return a.git(ctx, dir, "checkout", say, "-c", "advice.detachedHead=false", "checkout", "--progress", r.Ref, "--")
}

// wholeRef reports whether a ref is neither branch nor tag, and so not among what a clone brings: a pull request's, say.
func wholeRef(ref string) bool {
	return strings.HasPrefix(ref, "refs/") && !strings.HasPrefix(ref, "refs/heads/") && !strings.HasPrefix(ref, "refs/tags/")
}

// checkoutRef fetches such a ref and checks it out on a branch that follows it: refs/pull/7/head as pull/7.
func (a *Agent) checkoutRef(ctx context.Context, ref, dir string, say func(agentapi.Progress)) error {
	branch := strings.TrimSuffix(strings.TrimPrefix(ref, "refs/"), "/head")
	here := "refs/remotes/origin/" + branch
	say(agentapi.Progress{Phase: "checkout", Text: "git fetch " + ref})
	if err := a.git(ctx, dir, "checkout", say, "fetch", "--progress", "origin", "+"+ref+":"+here); err != nil {
		return err
	}
	for _, kv := range [][2]string{{"remote", "origin"}, {"merge", ref}} {
		if err := a.git(ctx, dir, "checkout", say, "config", "branch."+branch+"."+kv[0], kv[1]); err != nil {
			return err
		}
	}
	return a.git(ctx, dir, "checkout", say, "checkout", "--progress", "--no-track", "-B", branch, here, "--")
}

// git runs Git and passes its progress on. What Git says when it fails is the error.
func (a *Agent) git(ctx context.Context, dir, phase string, say func(agentapi.Progress), args ...string) error {
	cmd := exec.Command("git", args...)
	if cmd.Err != nil {
		return errors.New("git is not installed in the workspace")
	}
	cmd.Dir = dir
	cmd.Env = a.environment(map[string]string{
		"GIT_TERMINAL_PROMPT": "0",          // nobody is there to answer
		"GIT_ALLOW_PROTOCOL":  "http:https", // nothing that runs a command
		"GIT_LFS_SKIP_SMUDGE": "1",
	})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("git: %w", err)
	}
	defer read.Close()
	cmd.Stderr = write
	ch, err := a.children.start(cmd)
	write.Close()
	if err != nil {
		return fmt.Errorf("git: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { ch.signalGroup(syscall.SIGKILL) })
	defer stop()
	said := readProgress(read, phase, say)
	if code := ch.code(); code != 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if said == "" {
			said = fmt.Sprintf("git ended with status %d", code)
		}
		return errors.New(said)
	}
	return nil
}

// countEvery spaces the counting of a long transfer out; a short one is over before it is worth telling.
const countEvery = 500 * time.Millisecond

// readProgress passes on lines, which Git ends with a carriage return while it counts, and returns the last few that
// were not counting.
func readProgress(r *os.File, phase string, say func(agentapi.Progress)) string {
	lines := bufio.NewScanner(r)
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		for i, b := range data {
			if b == '\r' || b == '\n' {
				return i + 1, data[:i], nil
			}
		}
		if atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	var said []string
	counted := time.Now()
	for lines.Scan() {
		text := printable(lines.Text())
		if text == "" || strings.HasPrefix(text, "Cloning into ") { // a folder that is renamed when it is whole
			continue
		}
		counting := strings.Contains(text, "% (")
		if !counting || time.Since(counted) >= countEvery {
			say(agentapi.Progress{Phase: phase, Text: text})
			counted = time.Now()
		}
		if !counting {
			said = append(said, text)
			said = said[max(0, len(said)-10):]
		}
	}
	return strings.Join(said, "\n")
}

// printable takes control characters out of what another server made Git print.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}

// gitConfigFile is below the home folder; the workspace's /etc/gitconfig includes it, so the person's own
// configuration is read after it and wins.
const gitConfigFile = ".config/lanyard/gitconfig"

// writeGitConfig writes author, gateway and settings anew, at every setup.
func (a *Agent) writeGitConfig(s agentapi.Setup) error {
	var b strings.Builder
	b.WriteString("# Written by Lanyard each time the workspace starts. Your own settings belong in ~/.gitconfig, which wins.\n")
	if s.Author.Name != "" {
		fmt.Fprintf(&b, "[user]\n\tname = %s\n\temail = %s\n", quoteGit(s.Author.Name), quoteGit(s.Author.Mail))
	}
	for _, h := range s.GitHosts {
		fmt.Fprintf(&b, "[url %s]\n", quoteGit("http://"+a.config.Listen+"/git/"+h+"/"))
		for _, form := range []string{"https://" + h + "/", "ssh://git@" + h + "/", "git@" + h + ":"} {
			fmt.Fprintf(&b, "\tinsteadOf = %s\n", quoteGit(form))
		}
	}
	for _, kv := range s.GitConfig {
		section, name, err := gitKey(kv.Key)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "[%s]\n\t%s = %s\n", section, name, quoteGit(kv.Value))
	}
	path := filepath.Join(a.config.Home, gitConfigFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("git configuration: %w", err)
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("git configuration: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("git configuration: %w", err)
	}
	return a.writeGitSystem(path)
}

// writeGitSystem makes Git read that file: where the image's /etc/gitconfig does not, one of ours takes its place and includes
// both, so that the person's own configuration still wins (git-config(1), GIT_CONFIG_SYSTEM; since Git 2.32).
func (a *Agent) writeGitSystem(path string) error {
	const system = "/etc/gitconfig"
	text, err := os.ReadFile(system)
	if err == nil && strings.Contains(string(text), gitConfigFile) {
		return nil
	}
	ours := path + ".system"
	// A folder of a repository that looks like one itself is none: its configuration would be obeyed.
	content := "[safe]\n\tbareRepository = explicit\n[include]\n\tpath = " + system + "\n\tpath = " + quoteGit(path) + "\n"
	if err := os.WriteFile(ours, []byte(content), 0o644); err != nil {
		return fmt.Errorf("git configuration: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gitFile = ours
	return nil
}

// gitSystem is the variable that names that file.
func (a *Agent) gitSystem() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gitFile == "" {
		return nil
	}
	return map[string]string{"GIT_CONFIG_SYSTEM": a.gitFile}
}

// gitKey splits "section.subsection.name" as git-config does: at the first and the last dot.
func gitKey(key string) (section, name string, err error) {
	if !keyForm.MatchString(key) {
		return "", "", fmt.Errorf("%q is not a Git setting", key)
	}
	first, last := strings.IndexByte(key, '.'), strings.LastIndexByte(key, '.')
	section, name = key[:first], key[last+1:]
	if first != last {
		section += " " + quoteGit(key[first+1:last])
	}
	return section, name, nil
}

// quoteGit writes a value so that Git reads it back unchanged (git-config, "Syntax").
func quoteGit(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < 0x20 || r == 0x7f:
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
