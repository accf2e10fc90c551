package audit

// settle says what is wrong at the positions where event and stored hash differ, once a checkpoint has told which of
// them was signed: intact means that the events were. Where no checkpoint fits either, the hash is believed.
func (w *walk) settle(intact bool) {
	suspects, nodes := w.suspects, w.nodes
	w.suspects, w.nodes = nil, nil
	if len(nodes) > 0 {
		from, to := nodes[0], nodes[len(nodes)-1]
		w.report.add(HashWrong, from, to, "%s missing or wrong above %s", count(len(nodes), "stored tree hash"), events(from, to))
	}
	// Neighbours to which the same happened are told together.
	for len(suspects) > 0 {
		first, n := suspects[0], 1
		for n < len(suspects) && suspects[n].kind == first.kind && suspects[n].seq == first.seq+int64(n) &&
			(first.kind != Swapped || suspects[n].signedAs == first.signedAs+int64(n)) {
			n++
		}
		w.tell(first, first.seq+int64(n)-1, intact)
		suspects = suspects[n:]
	}
}

// tell reports a run of mismatches of one kind.
func (w *walk) tell(first mismatch, to int64, intact bool) {
	from := first.seq
	switch {
	case first.kind == Dropped:
		w.report.add(Dropped, from, to, "%s: missing", events(from, to))
	case first.kind == HashWrong, intact:
		w.report.add(HashWrong, from, to, "%s: the stored hash is missing or wrong; what was signed is there", events(from, to))
	case first.kind == Swapped:
		w.report.add(Swapped, from, to, "%s: the log holds there what was signed as %s", events(from, to), events(first.signedAs, first.signedAs+to-from))
	default:
		w.report.add(Changed, from, to, "%s: changed", events(from, to))
	}
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
