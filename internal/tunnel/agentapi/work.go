package agentapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Work is what a workspace's checkouts hold and no remote has.
type Work struct {
	Checkouts []CheckoutWork `json:"checkouts"`
}

// CheckoutWork is what one checkout holds. The lists are cut at MaxWork; the numbers are not.
type CheckoutWork struct {
	Folder   string   `json:"folder"` // below /workspace
	Branch   string   `json:"branch,omitempty"`
	Files    []string `json:"files,omitempty"` // not committed, as git status names them
	Changed  int      `json:"changed"`
	Commits  []string `json:"commits,omitempty"` // of any branch that no remote is known to have: short ID and subject
	Unpushed int      `json:"unpushed"`
	Stashes  int      `json:"stashes"`
	Error    string   `json:"error,omitempty"` // why it could not be looked at
}

// MaxWork is how many files and commits of a checkout are named.
const MaxWork = 20

// maxWorkSize bounds what is read of an answer, in bytes.
const maxWorkSize = 1 << 20

// Work asks what would be lost with the checkouts. It takes as long as `git status` does.
func (c Client) Work(ctx context.Context) (w Work, err error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/work", nil)
	if err != nil {
		return w, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxWorkSize)).Decode(&w); err != nil {
		return w, fmt.Errorf("workspace's work: %w", err)
	}
	boundWork(&w)
	return w, nil
}

// What a workspace says of its work is bounded like all it says.
const (
	maxCheckouts = 64
	maxNamed     = 500 // bytes of a file's or commit's name
	maxCounted   = 1_000_000
)

func boundWork(w *Work) {
	w.Checkouts = w.Checkouts[:min(len(w.Checkouts), maxCheckouts)]
	names := func(list []string) []string {
		list = list[:min(len(list), MaxWork)]
		for i := range list {
			list[i] = plain(cut(list[i], maxNamed))
		}
		return list
	}
	for i := range w.Checkouts {
		c := &w.Checkouts[i]
		c.Folder, c.Branch, c.Error = plain(cut(c.Folder, maxNamed)), plain(cut(c.Branch, maxNamed)), plain(cut(c.Error, maxNamed))
		c.Files, c.Commits = names(c.Files), names(c.Commits)
		for _, n := range []*int{&c.Changed, &c.Unpushed, &c.Stashes} {
			*n = min(max(*n, 0), maxCounted)
		}
	}
}

// noticeWithin bounds how long telling the terminals may take.
const noticeWithin = 5 * time.Second

// Notice shows bytes in every terminal that is open.
func (c Client) Notice(ctx context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, noticeWithin)
	defer cancel()
	resp, err := c.do(ctx, http.MethodPost, "/v1/notice", bytes.Clone(text))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
