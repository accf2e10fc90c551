package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// servePack answers with the checkout as it is (agentapi.Pack). Nothing in the checkout changes, its index neither.
func (a *Agent) servePack(w http.ResponseWriter, r *http.Request) {
	var o agentapi.PackOrder
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSetup)).Decode(&o); err != nil {
		http.Error(w, "not an order: "+err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if o.Last {
		a.children.endAll(lastGrace)
	}
	p, g, err := a.snapshot(r.Context(), o)
	if err != nil {
		p = agentapi.Pack{Error: "The checkout could not be copied: " + err.Error()}
	}
	if json.NewEncoder(w).Encode(p) != nil || p.Error != "" {
		return // the server is gone, or knows
	}
	if err := g.pack(r.Context(), w, p.Commit, o.Since); err != nil {
		a.log.Warn("packing the checkout failed", "err", err)
		panic(http.ErrAbortHandler) // a part must not be taken for the whole
	}
}

// lastGrace is how long processes have to end by themselves when their work is over.
const lastGrace = time.Second

// snapshot makes objects of what the checkout holds: the commit that is checked out, or one on top of it where files
// differ from it, ignored ones aside. An index of its own keeps the person's as it is.
func (a *Agent) snapshot(ctx context.Context, o agentapi.PackOrder) (p agentapi.Pack, g plumbing, err error) {
	if o.Since != "" && !agentapi.ValidCommit(o.Since) {
		return p, g, fmt.Errorf("%q is not a commit", o.Since)
	}
	dir, err := a.checkoutFolder(o.Name)
	if err != nil {
		return p, g, err
	}
	g = plumbing{agent: a, dir: dir}
	if _, err := g.text(ctx, "rev-parse", "--git-dir"); err != nil {
		return p, g, errors.New("the workspace's folder is not a Git repository. Make it one (git init), or let the agent work in it with --checkout shared, where a policy allows that")
	}
	if p.Format, err = g.text(ctx, "rev-parse", "--show-object-format"); err != nil {
		return p, g, err
	}
	head, _ := g.text(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") // none before the first commit
	p.Head = head
	p.Branch, _ = g.text(ctx, "symbolic-ref", "--quiet", "--short", "HEAD") // none where a commit is checked out
	origin, _ := g.text(ctx, "config", "--get", "remote.origin.url")        // none where there is no such remote
	p.Origin = withoutPassword(origin)
	if p.Shallow, err = g.shallow(ctx); err != nil {
		return p, g, err
	}
	if head != "" && o.Since == "" {
		p.Remote = g.remote(ctx, head)
	}
	p.Commit, err = g.commitAll(ctx, head, o.Message)
	return p, g, err
}

// maxRemote bounds how many branches of origin are told with a checkout.
const maxRemote = 100

// remote are the branches of origin that lead to head, as they were fetched or pushed last. Where that cannot be said, none.
func (g plumbing) remote(ctx context.Context, head string) map[string]string {
	list, err := g.text(ctx, "for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", "--count="+strconv.Itoa(maxRemote), "--sort=-committerdate", "--merged="+head, "refs/remotes/origin")
	if err != nil {
		return nil
	}
	branches := map[string]string{}
	for line := range strings.SplitSeq(list, "\n") {
		if name, commit, ok := strings.Cut(line, " "); ok && name != "HEAD" && len(name) < maxRecord {
			branches[name] = commit
		}
	}
	return branches
}

// withoutPassword is a repository's address without what its person may have written into it for themselves.
func withoutPassword(origin string) string {
	if !strings.Contains(origin, "://") { // a path, or user@host:path, which has no room for a password
		return origin
	}
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	if _, has := u.User.Password(); has || u.Scheme == "http" || u.Scheme == "https" {
		u.User = nil
	}
	return u.String()
}

// checkoutFolder is the folder of the checkout of that name, which is there.
func (a *Agent) checkoutFolder(name string) (string, error) {
	if !agentapi.ValidName(name) {
		return "", fmt.Errorf("%q cannot name a folder of the workspace", name)
	}
	dir := filepath.Join(a.config.Workspace, name)
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("%s is not there, or no folder", dir)
	}
	return dir, nil
}

// commitAll returns head, or a commit on top of it that holds what differs.
func (g plumbing) commitAll(ctx context.Context, head, message string) (string, error) {
	scratch, err := os.MkdirTemp("", "lanyard-index-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	path, err := g.text(ctx, "rev-parse", "--git-path", "index")
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(g.dir, path)
	}
	index := filepath.Join(scratch, "index")
	if err := copyFile(path, index); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("git's index: %w", err)
	}
	with := g
	with.env = map[string]string{"GIT_INDEX_FILE": index}
	_, err = with.text(ctx, "-c", "advice.addEmbeddedRepo=false", "add", "--all", "--ignore-errors", "--", ".")
	if unread := new(gitError); errors.As(err, &unread) && unread.code == 1 { // all but some files that cannot be read
		message += "\n\nWithout what could not be read: " + unread.said
	} else if err != nil {
		return "", err
	}
	tree, err := with.text(ctx, "write-tree")
	if err != nil {
		return "", err
	}
	args := []string{"commit-tree", tree, "-m", message}
	if head != "" {
		was, err := g.text(ctx, "rev-parse", "--verify", head+"^{tree}")
		if err != nil || was == tree {
			return head, err
		}
		args = append(args, "-p", head)
	}
	if _, err := g.text(ctx, "var", "GIT_COMMITTER_IDENT"); err != nil { // nobody has said who commits here
		args = append([]string{"-c", "user.name=workspace", "-c", "user.email=workspace@localhost"}, args...)
	}
	return g.text(ctx, args...)
}

// shallow lists the commits at which the history ends.
func (g plumbing) shallow(ctx context.Context) ([]string, error) {
	path, err := g.text(ctx, "rev-parse", "--git-path", "shallow")
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(g.dir, path)
	}
	in, err := openRegular(path, maxShallow)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("git's list of where the history ends: %w", err)
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxShallow))
	return strings.Fields(string(b)), err
}

// pack writes the objects of a commit that one who has since does not have.
func (g plumbing) pack(ctx context.Context, w io.Writer, commit, since string) error {
	revs := commit + "\n"
	args := []string{"pack-objects", "-q", "--revs", "--stdout", "--delta-base-offset"}
	if since != "" {
		revs += "^" + since + "\n"
		args = append(args, "--thin")
	}
	return g.run(ctx, strings.NewReader(revs), w, args...)
}

// Bounds of files of Git's that are read here, in bytes.
const (
	maxShallow = 1 << 20
	maxIndex   = 1 << 30
)

// openRegular opens a file that may be anything by now, and takes nothing that could keep a reader waiting or has no end.
func openRegular(path string, most int64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is no regular file", path)
	case info.Size() > most:
		err = fmt.Errorf("%s is larger than %d MiB", path, most>>20)
	default:
		return f, nil
	}
	f.Close()
	return nil, err
}

// copyFile copies Git's index.
func copyFile(from, to string) error {
	in, err := openRegular(from, maxIndex)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, maxIndex))
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}
