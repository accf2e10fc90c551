package laptop

import (
	"bytes"
	"context"
	"os/exec"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Clone is a clone on this machine, whose own configuration is read and changed by Git itself.
type Clone struct {
	Dir     string // empty: the present folder
	Environ []string
}

// git runs Git in the clone and returns what it prints.
func (c Clone) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = c.Dir, c.Environ
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), problem.Wrap(err, problem.Invalid, "git %s: %s", args[0], strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// Check says whether there is a clone.
func (c Clone) Check(ctx context.Context) error {
	_, err := c.git(ctx, "rev-parse", "--git-dir")
	return err
}

// Remote is a remote of a clone, with the URL that stands in its configuration.
type Remote struct{ Name, URL string }

// Remotes are the clone's.
func (c Clone) Remotes(ctx context.Context) ([]Remote, error) {
	found, err := c.matching(ctx, `^remote\..*\.url$`)
	var all []Remote
	for _, s := range found {
		all = append(all, Remote{strings.TrimSuffix(strings.TrimPrefix(s.Key, "remote."), ".url"), s.Value})
	}
	return all, err
}

// Lead makes Git go to address wherever a URL begins with from.
func (c Clone) Lead(ctx context.Context, from, address string) error {
	for _, s := range Leading(from, address) {
		if _, err := c.git(ctx, "config", "--local", "--replace-all", s.Key, s.Value, "^"+quoted(s.Value)+"$"); err != nil {
			return err
		}
	}
	return nil
}

// Leading are the settings of Lead: for pushes too, so that none elsewhere that is about pushes wins (git-config(1),
// url.<base>.pushInsteadOf).
func Leading(from, address string) []Setting {
	return []Setting{{"url." + address + ".insteadOf", from}, {"url." + address + ".pushInsteadOf", from}}
}

// quoted takes the meaning from what a regular expression would read in a URL.
func quoted(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\.+*?()|[]{}^$`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Unlead takes out what Lead put in, and returns which URLs it was about.
func (c Clone) Unlead(ctx context.Context) ([]string, error) {
	found, err := c.matching(ctx, `^url\.lanyard::.*\.(push)?insteadof$`)
	if err != nil {
		return nil, err
	}
	var gone []string
	sections := map[string]bool{}
	for _, s := range found {
		at := strings.LastIndexByte(s.Key, '.')
		if section := s.Key[:at]; !sections[section] {
			sections[section] = true
			gone = append(gone, s.Value)
			if _, err := c.git(ctx, "config", "--local", "--remove-section", section); err != nil {
				return gone, err
			}
		}
	}
	return gone, nil
}

// matching are the clone's own settings whose names match.
func (c Clone) matching(ctx context.Context, pattern string) ([]Setting, error) {
	if err := c.Check(ctx); err != nil {
		return nil, err
	}
	out, err := c.git(ctx, "config", "--local", "--null", "--get-regexp", pattern)
	if err != nil && out == "" { // none: git ends with 1
		return nil, nil
	}
	var all []Setting
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if key, value, ok := strings.Cut(line, "\n"); ok {
			all = append(all, Setting{key, value})
		}
	}
	return all, nil
}

// Canonical is the https:// URL of a repository that a remote names in one of Git's ways; empty where it names none.
func Canonical(remote string) string {
	rest, ok := strings.CutPrefix(remote, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(remote, "ssh://"); !ok && !strings.Contains(remote, "://") {
			host, path, scp := strings.Cut(remote, ":") // [user@]host:path
			if !scp || strings.Contains(host, "/") || host == "" {
				return ""
			}
			rest, ok = host+"/"+strings.TrimPrefix(path, "/"), true
		}
	}
	if !ok {
		return ""
	}
	host, path, ok := strings.Cut(rest, "/")
	if !ok || path == "" {
		return ""
	}
	host = strings.ToLower(host[strings.LastIndexByte(host, '@')+1:])
	return "https://" + host + "/" + strings.TrimSuffix(strings.TrimSuffix(path, "/"), ".git")
}
