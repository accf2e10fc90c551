package prebuild

// Nearest is the prebuild whose commit is the nearest to the one that is opened, among those that led to it: itself first, then
// its parents, then theirs. One of any other commit never fits, whatever branch it is of. parents are those of each commit
// that is known; rows are newest first.
func Nearest(rows []Row, commit string, parents map[string][]string) (Row, bool) {
	at := map[string]Row{}
	for i := len(rows) - 1; i >= 0; i-- { // the newest of a commit stays
		if rows[i].State == Done {
			at[rows[i].Commit] = rows[i]
		}
	}
	next, seen := []string{commit}, map[string]bool{commit: true}
	for len(next) > 0 {
		id := next[0]
		next = next[1:]
		if r, ok := at[id]; ok {
			return r, true
		}
		for _, p := range parents[id] {
			if !seen[p] {
				seen[p] = true
				next = append(next, p)
			}
		}
	}
	return Row{}, false
}
