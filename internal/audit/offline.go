package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// VerifyExport checks an export against copied checkpoints, without a database: that the lines make the tree that was
// signed, none is missing, added, changed or moved, and that personal values are those which were committed to.
func VerifyExport(export io.Reader, key note.Verifier, copied []byte) (Report, error) {
	r := newReport(key, KeyGiven)
	v := offline{report: &r, key: key, targets: merge(r.copiedCheckpoints(copied, key))}
	in := bufio.NewReaderSize(export, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r, fmt.Errorf("read the export: %w", err)
		}
		if len(line) > 0 {
			v.line(n, line)
		}
	}
	v.end()
	r.sort()
	return r, nil
}

// readLine reads one line of at most twice what an event may have.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > 2*maxEvent:
			return nil, fmt.Errorf("a line is longer than any event")
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0, err == nil:
			if line[len(line)-1] == '\n' {
				line = line[:len(line)-1]
			}
			return line, nil
		default:
			return nil, err
		}
	}
}

// offline is the verification of an export.
type offline struct {
	report  *Report
	key     note.Verifier
	targets []target
	tree    tree
	begun   bool
	good    int64 // size of the last checkpoint that fitted
	broken  bool  // lines are missing or odd, so no later checkpoint can fit
	pruning Pruning
}

// line takes in one line.
func (v *offline) line(n int, line []byte) {
	var head struct {
		Seq *int64 `json:"seq"`
		exportHead
		exportPruning
		Pruned *tlog.Hash `json:"pruned"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		v.odd("line %d is not an entry of an export: %v", n, err)
		return
	}
	switch {
	case head.Note != "":
		p, err := openPruning([]byte(head.Note), v.key)
		if err != nil {
			v.report.add(BadPruning, 0, 0, "line %d: a statement about removed events is not signed by this log: %v", n, err)
		} else if p.Size > v.pruning.Size {
			v.pruning = p
		}
	case head.From != nil:
		v.from(n, *head.From, head.Edge)
	case head.Seq == nil:
		v.odd("line %d has no position", n)
	case head.Pruned != nil:
		if v.at(*head.Seq) {
			if *head.Seq >= v.pruning.Size {
				v.report.add(Dropped, *head.Seq, *head.Seq, "event %d: removed, and no signed statement says that it was because of its age", *head.Seq)
			}
			v.report.Pruned = *head.Seq + 1
			v.append(*head.Pruned)
		}
	default:
		v.event(n, *head.Seq, line)
	}
}

// from takes the tree over from before the export's first event.
func (v *offline) from(n int, from int64, edge []tlog.Hash) {
	if v.begun || from < 1 || len(edge) != len(edgeIndexes(from)) {
		v.odd("line %d does not say where the export begins", n)
		return
	}
	v.tree, v.begun = tree{from, edge}, true
	v.report.Skipped = from
	for ; len(v.targets) > 0 && v.targets[0].Size < from; v.targets = v.targets[1:] {
	}
	v.judge()
}

func (v *offline) event(n int, seq int64, line []byte) {
	if !v.at(seq) {
		return
	}
	body, err := leafOfLine(line)
	if err != nil {
		v.report.add(Changed, seq, seq, "event %d cannot be read: %v", seq, err)
		v.broken = true
		body = line
	} else if e, err := Decode(line); err == nil {
		for _, value := range personalOf(&e) {
			if value != nil && committed(*value) {
				v.report.Erased++
				break
			}
		}
	}
	v.append(tlog.RecordHash(body))
}

// at reports whether a line of this position is the next one. What is missing breaks the tree, which goes on as if
// the line had the right place, so that only the first such finding is told.
func (v *offline) at(seq int64) bool {
	v.begun = true
	switch {
	case v.broken:
		return seq == v.tree.size
	case seq == v.tree.size:
		return true
	case seq > v.tree.size:
		v.report.add(Dropped, v.tree.size, seq-1, "%s: missing", events(v.tree.size, seq-1))
	default:
		v.report.add(Swapped, seq, seq, "event %d stands after event %d", seq, v.tree.size-1)
	}
	v.broken = true
	return false
}

func (v *offline) odd(format string, args ...any) {
	v.report.add(Changed, v.tree.size, v.tree.size, format, args...)
	v.broken = true
}

func (v *offline) append(leaf tlog.Hash) {
	v.tree.append(leaf)
	if v.pruning.Size == v.tree.size && v.pruning.Root != v.tree.root() {
		v.report.add(BadPruning, 0, v.pruning.Size-1, "the statement that %s were removed is of another tree", events(0, v.pruning.Size-1))
	}
	v.judge()
}

// judge compares the tree with the checkpoints of its size.
func (v *offline) judge() {
	for ; len(v.targets) > 0 && v.targets[0].Size == v.tree.size; v.targets = v.targets[1:] {
		switch {
		case v.targets[0].Root == v.tree.root():
			v.good, v.report.Complete = v.tree.size, v.tree.size
		case !v.broken:
			v.report.add(Rewritten, v.good, v.tree.size-1, "%s: something among them is not what the copied checkpoint signs", events(v.good, v.tree.size-1))
			v.broken = true
		}
	}
}

// end looks at what checkpoints sign beyond the last line.
func (v *offline) end() {
	if n := len(v.targets); n > 0 && !v.broken {
		last := v.targets[n-1]
		v.report.add(Truncated, v.tree.size, last.Size-1, "%s: cut off the end; the copied checkpoint signs %s",
			events(v.tree.size, last.Size-1), count(int(last.Size), "event"))
	}
	root := v.tree.root()
	v.report.Size, v.report.Root = v.tree.size, root.String()
}
