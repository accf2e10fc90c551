package gitserver

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// write writes the repository as a fast-import stream (git-fast-import).
func (r Repository) write(to io.Writer) error {
	w := bufio.NewWriter(to)
	begun := map[string]bool{}
	for i, c := range r.Commits {
		branch := c.Branch
		if branch == "" {
			branch = "main"
		}
		commit(w, branch, i+1, c.Author, c.At, c.Message)
		if !begun[branch] && branch != "main" && begun["main"] {
			fmt.Fprintln(w, "from refs/heads/main")
		}
		begun[branch] = true
		for _, path := range slices.Sorted(maps.Keys(c.Files)) {
			content := c.Files[path]
			fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
		}
		fmt.Fprintln(w)
	}
	for _, number := range slices.Sorted(maps.Keys(r.Requests)) {
		fmt.Fprintf(w, "reset refs/pull/%d/head\nfrom refs/heads/%s\n\n", number, r.Requests[number])
	}
	return w.Flush()
}

// commit begins a commit; who writes the stream goes on with its files.
func commit(w io.Writer, branch string, mark int, author string, at time.Time, message string) {
	fmt.Fprintf(w, "commit refs/heads/%s\nmark :%d\nauthor %s %d +0000\ncommitter %s %d +0000\ndata %d\n%s\n",
		branch, mark, author, at.Unix(), author, at.Unix(), len(message), message)
}

// writeLarge writes one commit with files of a megabyte of random bytes each.
func writeLarge(to io.Writer, megabytes int) error {
	const megabyte = 1 << 20
	w := bufio.NewWriterSize(to, megabyte)
	commit(w, "main", 1, "Edsger Dijkstra <edsger@contoso.example>", sampleStart, "Keep the recordings\n")
	random := rand.NewChaCha8([32]byte{1})
	content := make([]byte, megabyte)
	for i := range megabytes {
		random.Read(content) // never fails
		fmt.Fprintf(w, "M 100644 inline recordings/%04d.bin\ndata %d\n", i, len(content))
		w.Write(content) // a bufio.Writer keeps its error for Flush
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	return w.Flush()
}
