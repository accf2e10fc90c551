// Package gitread reads single files and folders of a commit at a repository behind the gateway, by Git's protocol
// (version 2) and without a clone: under a lease, with the person's credential, as the workspace's own fetch would be. It
// runs no Git; what it reads is checked against the names that its content gives it.
package gitread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// Config makes a Reader.
type Config struct {
	Access   access.Authorizer
	Facts    func() *access.Facts // for finding repositories
	Upstream *upstream.Upstream
	Log      *slog.Logger
}

// Reader opens commits.
type Reader struct{ c Config }

// New returns a Reader.
func New(c Config) *Reader { return &Reader{c} }

// Order says what is to be read, and for whom.
type Order struct {
	Principal  identity.Principal
	Repository string // canonical URL
	// Ref is a branch, a tag, a whole ref (refs/…) or a commit's ID; empty is the default branch.
	Ref string
	// PreferBranch finds the branch that is at the same commit as Ref (that of a merge request), if there is one alone.
	PreferBranch bool
	// Why goes into the audit log.
	Why string
}

// Commit is an opened commit. It rests on a lease, which Close ends. One goroutine uses it; another one may
// ask for Parents meanwhile.
type Commit struct {
	ID  string
	Ref string // what it was found by: a whole ref, or empty where a commit was named

	*line
	tree    string
	folders map[string][]Entry // by tree
}

const (
	maxFile    = 4 << 20   // bytes of a file, a tree or a commit that is read alone
	maxFolder  = 256 << 20 // bytes of a folder with all below
	maxRefs    = 32 << 20  // bytes of an answer that lists refs
	maxEntries = 200_000
)

// ErrAbsent says that there is no such path in the commit.
var ErrAbsent = errors.New("there is no such file")

// ErrCannot says that the Git server cannot leave out what is not wanted: to read one file there takes a clone.
var ErrCannot = errors.New("the Git server does not send single files (it wants version 2 of the protocol, and uploadpack.allowFilter)")

// Open finds the commit and its first folder. A refusal, and a ref that is not there, are problem.Errors that the person
// may see.
func (r *Reader) Open(ctx context.Context, o Order) (*Commit, error) {
	l, err := r.begin(ctx, o)
	if err != nil {
		return nil, err
	}
	c := &Commit{line: l, folders: map[string][]Entry{}}
	if err := c.find(o.Ref, o.PreferBranch); err != nil {
		return nil, l.end(err)
	}
	return c, nil
}

// begin opens the lease.
func (r *Reader) begin(ctx context.Context, o Order) (*line, error) {
	text := strings.TrimPrefix(o.Repository, "https://")
	owner, repo, ok := r.c.Facts().Projects.ForRepository(o.Repository)
	if !ok {
		return nil, absent(text)
	}
	ctx, lease, err := r.c.Access.Open(ctx, access.Request{
		Principal: o.Principal, Action: identity.RepoRead, Resource: repo.Resource(owner.ID),
		Detail: map[string]any{"git": "read files", "for": o.Why},
	}, nil)
	if err != nil {
		if problem.KindOf(err) == problem.NotFound {
			err = absent(text)
		}
		return nil, err
	}
	return &line{ctx: ctx, up: r.c.Upstream, repo: repo, text: text, who: o.Principal, lease: lease}, nil
}

// end ends the lease over an error, and says what came of it.
func (l *line) end(err error) error {
	l.lease.End()
	if reason := l.lease.Reason(); !reason.IsZero() {
		return problem.Wrap(reason, problem.Denied, "Access has ended: %s.", reason.Text)
	}
	return err
}

func absent(text string) error {
	return problem.New(problem.NotFound, "There is no repository %s here that you may use.", text)
}

// Close ends the lease.
func (c *Commit) Close() { c.lease.End() }

// find learns what the server can, finds the ref and reads the commit.
func (c *Commit) find(ref string, branch bool) error {
	if err := c.capabilities(); err != nil {
		return err
	}
	if isID(ref) {
		c.ID = ref
	} else {
		var err error
		if c.ID, c.Ref, err = c.resolve(ref, branch); err != nil {
			return err
		}
	}
	for range 5 { // a tag may name a tag
		got, err := c.fetch([]string{c.ID}, "tree:0", maxFile)
		if r, ok := errors.AsType[refusal](err); ok && r.unknown() {
			return problem.Wrap(err, problem.NotFound, "There is no commit %s in %s.", c.ID, c.text)
		}
		if err != nil {
			return err
		}
		o, ok := got[c.ID]
		switch {
		case !ok:
			return problem.New(problem.NotFound, "There is no commit %s in %s.", c.ID, c.text)
		case o.kind == commitKind:
			c.tree, err = treeOf(o.data)
			return err
		case o.kind != tagKind:
			return problem.New(problem.Invalid, "%s in %s is no commit.", c.ID, c.text)
		}
		if c.ID, err = taggedBy(o.data); err != nil {
			return err
		}
	}
	return problem.New(problem.Invalid, "%s in %s is a tag of a tag of a tag.", ref, c.text)
}

// List lists a folder; "" is the first.
func (c *Commit) List(folder string) ([]Entry, error) {
	e, err := c.Find(folder)
	if err != nil {
		return nil, err
	}
	if e.Mode != Folder {
		return nil, ErrAbsent
	}
	return c.entries(e.ID)
}

// Find finds a path, with slashes; symbolic links are not followed.
func (c *Commit) Find(path string) (Entry, error) {
	at := Entry{Mode: Folder, ID: c.tree}
	if path == "" || path == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(path, "/") {
		if at.Mode != Folder {
			return at, ErrAbsent
		}
		all, err := c.entries(at.ID)
		if err != nil {
			return at, err
		}
		i := slices.IndexFunc(all, func(e Entry) bool { return e.Name == part })
		if i < 0 {
			return at, ErrAbsent
		}
		at = all[i]
	}
	return at, nil
}

func (c *Commit) entries(tree string) ([]Entry, error) {
	if known, ok := c.folders[tree]; ok {
		return known, nil
	}
	got, err := c.fetch([]string{tree}, "tree:0", maxFile)
	if errors.Is(err, errTooLarge) {
		return nil, problem.Wrap(err, problem.Invalid, "A folder of %s lists more than %d MiB of names, and Lanyard reads no more.", c.text, maxFile>>20)
	}
	if err != nil {
		return nil, err
	}
	all, err := parseTree(got[tree].data, len(tree)/2)
	if err != nil || got[tree].kind != treeKind {
		return nil, errors.Join(errTree, err)
	}
	c.folders[tree] = all
	return all, nil
}

// Read reads a file. A symbolic link is not followed: it is ErrAbsent.
func (c *Commit) Read(path string) ([]byte, error) {
	e, err := c.Find(path)
	if err != nil {
		return nil, err
	}
	if e.Mode != File && e.Mode != Executable {
		return nil, ErrAbsent
	}
	got, err := c.fetch([]string{e.ID}, "blob:none", maxFile)
	if errors.Is(err, errTooLarge) {
		return nil, problem.Wrap(err, problem.Invalid, "%s in %s has more than %d MiB, which is the most that Lanyard reads of one file. Make it smaller.", path, c.text, maxFile>>20)
	}
	if err != nil {
		return nil, err
	}
	if got[e.ID].kind != blobKind {
		return nil, fmt.Errorf("read %s: the Git server did not send it", path)
	}
	return got[e.ID].data, nil
}

// line is the way to one repository under one lease.
type line struct {
	ctx    context.Context // of the lease; ends with it
	up     *upstream.Upstream
	repo   project.Repository
	text   string // the repository, for messages
	who    identity.Principal
	lease  *access.Lease
	format format
}

// capabilities asks what the server can.
func (l *line) capabilities() error {
	resp, err := l.ask(http.MethodGet, "/info/refs?service=git-upload-pack", "", "application/x-git-upload-pack-advertisement")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	in := newPackets(io.LimitReader(resp.Body, maxRefs))
	l.format = sha1Format()
	version, filter := false, false
	for flushes := 0; flushes < 2; { // one may follow the name of the service
		text, ok, err := in.line()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return l.broken(err)
		}
		if !ok {
			if version {
				break
			}
			flushes++
			continue
		}
		switch key, value, _ := strings.Cut(text, "="); {
		case text == "version 2":
			version = true
		case key == "fetch":
			filter = slices.Contains(strings.Fields(value), "filter")
		case key == "object-format" && value == "sha256":
			l.format = sha256Format()
		}
	}
	if !version || !filter {
		return ErrCannot
	}
	return nil
}

// resolve finds what a ref names now.
func (l *line) resolve(ref string, branch bool) (id, whole string, err error) {
	want := []string{"refs/heads/" + ref, "refs/tags/" + ref}
	switch {
	case ref == "":
		want = []string{"HEAD"}
	case strings.HasPrefix(ref, "refs/"):
		want = []string{ref}
	}
	body := packet("command=ls-refs") + packet("object-format="+l.format.name) + "0001" + packet("symrefs")
	for _, w := range want {
		body += packet("ref-prefix " + w)
	}
	if branch {
		body += packet("ref-prefix refs/heads/")
	}
	found, target, err := l.refs(body)
	if err != nil {
		return "", "", err
	}
	for _, w := range want {
		if id, ok := found[w]; ok {
			switch {
			case w == "HEAD":
				w = target
			case branch:
				w = branchAt(found, id, w)
			}
			return id, w, nil
		}
	}
	if ref == "" {
		return "", "", problem.New(problem.NotFound, "%s has no commit yet.", l.text)
	}
	return "", "", problem.New(problem.NotFound, "There is no %s in %s.", named(ref), l.text)
}

// named is a ref in words: branch or tag x, merge request 7.
func named(ref string) string {
	switch parts := strings.Split(ref, "/"); {
	case parts[0] != "refs" || len(parts) < 3:
		return "branch or tag " + ref
	case len(parts) == 4 && (parts[1] == "pull" || parts[1] == "merge-requests"):
		return "merge request " + parts[2]
	case parts[1] == "heads":
		return "branch " + strings.Join(parts[2:], "/")
	}
	return ref
}

// refs sends a list of refs to ask for, and reads what is where; target is the branch that HEAD names.
func (l *line) refs(body string) (found map[string]string, target string, err error) {
	resp, err := l.ask(http.MethodPost, "/git-upload-pack", body+"0000", "application/x-git-upload-pack-result")
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	in := newPackets(io.LimitReader(resp.Body, maxRefs))
	found = map[string]string{}
	for {
		text, ok, err := in.line()
		if err != nil {
			return nil, "", l.broken(err)
		}
		if !ok {
			return found, target, nil
		}
		words := strings.Fields(text)
		if len(words) < 2 || !isID(words[0]) {
			continue
		}
		found[words[1]] = words[0]
		for _, w := range words[2:] {
			if t, ok := strings.CutPrefix(w, "symref-target:"); ok && words[1] == "HEAD" {
				target = t
			}
		}
	}
}

// branchAt is the branch that is at a commit, or other where none is or several are.
func branchAt(refs map[string]string, id, other string) string {
	one := ""
	for ref, at := range refs {
		if at != id || !strings.HasPrefix(ref, "refs/heads/") {
			continue
		}
		if one != "" {
			return other
		}
		one = ref
	}
	if one == "" {
		return other
	}
	return one
}

// fetch asks for objects by their names, and what hangs below them as far as the filter leaves it.
func (l *line) fetch(ids []string, filter string, most int64) (map[string]object, error) {
	return l.fetchSince(ids, 1, filter, most)
}

// fetchSince is fetch with the commits of so many generations.
func (l *line) fetchSince(ids []string, generations int, filter string, most int64) (map[string]object, error) {
	body := packet("command=fetch") + packet("object-format="+l.format.name) + "0001" + packet("no-progress") + packet("deepen "+strconv.Itoa(generations))
	if filter != "" {
		body += packet("filter " + filter)
	}
	for _, id := range ids {
		body += packet("want " + id)
	}
	resp, err := l.ask(http.MethodPost, "/git-upload-pack", body+packet("done")+"0000", "application/x-git-upload-pack-result")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	in := newPackets(resp.Body)
	for {
		text, ok, err := in.line()
		if err != nil {
			return nil, l.broken(err)
		}
		if ok && text == "packfile" {
			break
		}
	}
	got, err := readPack(&band{from: in}, l.format, most)
	if err != nil {
		return nil, l.broken(err)
	}
	return got, nil
}

// ask sends a request and takes only the answer that belongs to it.
func (l *line) ask(method, suffix, body, answer string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(l.ctx, method, l.repo.URL+suffix, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodGet {
		r.Body, r.ContentLength = nil, 0
	} else {
		r.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	}
	r.Header.Set("Accept", answer)
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Git-Protocol", "version=2")
	r.Header.Set("User-Agent", "git/2.0 (lanyard)")
	resp, err := l.up.Send(r, upstream.Target{Name: "the repository " + l.text, Principal: l.who, Credential: l.repo.Credential})
	if err != nil {
		return nil, err
	}
	host := r.URL.Hostname()
	switch {
	case resp.StatusCode == http.StatusForbidden:
		err = problem.New(problem.Denied, "Lanyard allows this, but %s itself refuses to let %s be read.", host, l.text)
	case resp.StatusCode == http.StatusNotFound:
		err = problem.New(problem.NotFound, "Lanyard knows %s, but %s does not have it, or hides it from you.", l.text, host)
	case resp.StatusCode != http.StatusOK:
		err = problem.New(problem.BadUpstream, "%s answers %s when files of %s are to be read.", host, gateway.Printable(resp.Status), l.text)
	case resp.Header.Get("Content-Type") != answer:
		err = problem.New(problem.BadUpstream, "%s does not answer as a Git server with the smart HTTP protocol.", host)
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// broken says whose fault an answer is that cannot be read.
func (l *line) broken(err error) error {
	if cause := context.Cause(l.ctx); cause != nil {
		return fmt.Errorf("read files of %s: %w", l.text, cause)
	}
	if r, ok := errors.AsType[refusal](err); ok {
		return problem.Wrap(err, problem.BadUpstream, "The files of %s cannot be read: %s.", l.text, r.Error())
	}
	return problem.Wrap(err, problem.BadUpstream, "The files of %s cannot be read: the Git server's answer broke off, or is not as it should be (%v).", l.text, err)
}
