package audit

import "golang.org/x/mod/sumdb/tlog"

// settle says what is wrong at the positions where event and stored hash differ, now that it is known which of them
// a checkpoint confirms; neither, at the end of a log that no checkpoint fits.
func (w *walk) settle(byEvents, byHashes bool) {
	suspects := w.suspects
	w.suspects = nil
	signedAt := make(map[tlog.Hash]int64, len(suspects))
	for _, m := range suspects {
		if !m.noStored {
			signedAt[m.stored] = m.seq
		}
	}
	// Neighbours to which the same happened are told together.
	var run struct {
		kind     FindingKind
		from, to int64
		by       int64
	}
	tell := func() {
		switch run.kind {
		case Dropped:
			w.report.add(Dropped, run.from, run.to, "%s: missing", events(run.from, run.to))
		case Swapped:
			w.report.add(Swapped, run.from, run.to, "%s: the log holds there what was signed as %s", events(run.from, run.to), events(run.from+run.by, run.to+run.by))
		case Changed:
			w.report.add(Changed, run.from, run.to, "%s: changed", events(run.from, run.to))
		case HashWrong:
			w.report.add(HashWrong, run.from, run.to, "%s: the stored hash is missing or wrong; what was signed is there", events(run.from, run.to))
		}
	}
	for _, m := range suspects {
		kind, by := Changed, int64(0)
		switch was, known := signedAt[m.computed]; {
		case m.missing:
			kind = Dropped
		case m.noStored, byEvents && !byHashes:
			kind = HashWrong
		case known && was != m.seq:
			kind, by = Swapped, was-m.seq
		}
		if kind == run.kind && by == run.by && m.seq == run.to+1 {
			run.to = m.seq
			continue
		}
		tell()
		run.kind, run.from, run.to, run.by = kind, m.seq, m.seq, by
	}
	tell()
}

// truncated reports events that are signed for and not there any more.
func (w *walk) truncated(unreached []target) {
	if len(unreached) == 0 {
		return
	}
	last := unreached[len(unreached)-1]
	by := "the database's own checkpoint"
	if last.copied {
		by = "the copied checkpoint"
	}
	w.report.add(Truncated, w.size(), last.Size-1, "%s: cut off the end; %s signs %s", events(w.size(), last.Size-1), by, count(int(last.Size), "event"))
}
