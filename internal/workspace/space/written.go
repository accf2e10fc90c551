package space

import (
	"os"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Written says of workspaces, by their process 1, how many bytes their processes have written so far, to whatever it was
// (proc_pid_io(5), wchar). What writes otherwise, by fallocate or by mapping a file, is not in it: it tells whom to look at first,
// and no more. Where /proc does not say, nothing is known.
func Written(first map[identity.WorkspaceID]int) map[identity.WorkspaceID]int64 {
	written := make(map[identity.WorkspaceID]int64, len(first))
	processes(first, func(id identity.WorkspaceID, proc string) {
		text, err := os.ReadFile(proc + "/io")
		if err != nil {
			return
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "wchar: "); ok {
				n, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 64) // the kernel writes numbers
				written[id] += n
			}
		}
	})
	return written
}
