package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// maxCheckouts is how many folders are looked at for what is not saved.
const maxCheckouts = 32

// serveUnsaved answers what the checkouts hold and no remote has.
func (a *Agent) serveUnsaved(w http.ResponseWriter, r *http.Request) {
	var all agentapi.Work
	folders, err := os.ReadDir(a.config.Workspace)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, f := range folders {
		if _, err := os.Lstat(filepath.Join(a.config.Workspace, f.Name(), ".git")); err != nil || !f.IsDir() {
			continue // no checkout
		}
		c := agentapi.CheckoutWork{Folder: f.Name()}
		if len(all.Checkouts) >= maxCheckouts {
			c.Error = fmt.Sprintf("only %d checkouts are looked at", maxCheckouts)
			all.Checkouts = append(all.Checkouts, c)
			break
		}
		if err := a.unsaved(r.Context(), &c); err != nil {
			c.Error = err.Error()
		}
		all.Checkouts = append(all.Checkouts, c)
	}
	answer(w, all)
}

func (a *Agent) unsaved(ctx context.Context, c *agentapi.CheckoutWork) error {
	g := plumbing{agent: a, dir: filepath.Join(a.config.Workspace, c.Folder)}
	c.Branch, _ = g.text(ctx, "symbolic-ref", "--quiet", "--short", "HEAD") // none where a commit is checked out
	files := records{end: 0}
	if err := g.run(ctx, nil, &files, "status", "--porcelain=v1", "-z", "--no-renames"); err != nil {
		return err
	}
	c.Files, c.Changed = files.first, files.n
	since := []string{"log", "-z", "--format=%h %s", "--branches"}
	if head, _ := g.text(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"); head != "" { // none before the first commit
		since = append(since, head)
	}
	commits := records{end: 0}
	if err := g.run(ctx, nil, &commits, append(since, "--not", "--remotes", "--")...); err != nil {
		return err
	}
	c.Commits, c.Unpushed = commits.first, commits.close()
	stashes := records{end: '\n'}
	if err := g.run(ctx, nil, &stashes, "stash", "list", "--format=%gd"); err != nil {
		return err
	}
	c.Stashes = stashes.n
	return nil
}

// records counts what is written to it, record by record, and keeps the first agentapi.MaxWork, cut to a line's length.
type records struct {
	end   byte
	first []string
	n     int
	part  []byte
}

const maxRecord = 200

var _ io.Writer = (*records)(nil)

func (r *records) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		record, rest, ended := bytes.Cut(p, []byte{r.end})
		r.part = append(r.part, record[:min(len(record), maxRecord-min(maxRecord, len(r.part)))]...)
		if ended {
			r.next()
		}
		p = rest
	}
	return n, nil
}

func (r *records) next() {
	r.n++
	if len(r.first) < agentapi.MaxWork {
		r.first = append(r.first, strings.ToValidUTF8(string(r.part), "�"))
	}
	r.part = r.part[:0]
}

// close counts a last record that nothing ends, and returns how many there are: `git log -z` separates its records.
func (r *records) close() int {
	if len(r.part) > 0 {
		r.next()
	}
	return r.n
}

// maxNotice bounds what is shown in the terminals at once, in bytes.
const maxNotice = 4 << 10

// serveNotice shows bytes in every open terminal, as if a program there had written them.
func (a *Agent) serveNotice(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotice))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	a.terminals.show(text, false)
	w.WriteHeader(http.StatusNoContent)
}
