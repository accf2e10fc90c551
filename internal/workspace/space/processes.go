package space

import (
	"os"
	"strconv"
)

// processes calls visit with each process of some workspaces, which are known by their PID namespaces, by the folder of /proc that
// tells of it. firsts are their processes 1; of one that has ended, nothing is known.
func processes[K comparable](firsts map[K]int, visit func(of K, proc string)) {
	of := make(map[string]K, len(firsts))
	for key, pid := range firsts {
		if space, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/pid"); err == nil {
			of[space] = key
		}
	}
	own, _ := os.Readlink("/proc/self/ns/pid")
	delete(of, own) // a number that has become somebody else's
	if len(of) == 0 {
		return
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer proc.Close()
	for {
		names, err := proc.Readdirnames(batch)
		for _, name := range names {
			if c := name[0]; c < '0' || c > '9' {
				continue
			}
			space, err := os.Readlink("/proc/" + name + "/ns/pid")
			if err != nil {
				continue // it has ended, or is not ours to look at
			}
			if key, ok := of[space]; ok {
				visit(key, "/proc/"+name)
			}
		}
		if err != nil || len(names) == 0 { // mostly io.EOF
			return
		}
	}
}
