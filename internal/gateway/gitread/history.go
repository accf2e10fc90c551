package gitread

import (
	"context"
	"strings"
)

// maxHistory bounds the commits that are read of a history, in bytes.
const maxHistory = 32 << 20

// Parents reads the history that led to the commit, over so many generations: the parents of each commit in it. They are proven:
// a commit's name is made of its content.
func (c *Commit) Parents(generations int) (map[string][]string, error) {
	got, err := c.fetchSince([]string{c.ID}, generations, "tree:0", maxHistory)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]string, len(got))
	for id, o := range got {
		if o.kind == commitKind {
			all[id] = parentsOf(o.data)
		}
	}
	return all, nil
}

// parentsOf reads a commit's head, which ends at the first empty line.
func parentsOf(commit []byte) (all []string) {
	head, _, _ := strings.Cut(string(commit), "\n\n")
	for line := range strings.SplitSeq(head, "\n") {
		if id, ok := strings.CutPrefix(line, "parent "); ok && isID(id) {
			all = append(all, id)
		}
	}
	return all
}

// Branches lists the branches of a repository by their whole refs, and the one that counts where none is said.
func (r *Reader) Branches(ctx context.Context, o Order) (all map[string]string, byDefault string, err error) {
	l, err := r.begin(ctx, o)
	if err != nil {
		return nil, "", err
	}
	if err := l.capabilities(); err != nil {
		return nil, "", l.end(err)
	}
	defer l.lease.End()
	body := packet("command=ls-refs") + packet("object-format="+l.format.name) + "0001" + packet("symrefs") + packet("ref-prefix HEAD") + packet("ref-prefix refs/heads/")
	all, byDefault, err = l.refs(body)
	if err != nil {
		return nil, "", l.end(err)
	}
	delete(all, "HEAD")
	return all, byDefault, nil
}
