// Searcher runs inside a workspace, as its user, or beside it, and looks for secrets by their marks. It takes a request
// as JSON and prints a needle.Report.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/lanyardhq/lanyard/test/secrets/needle"
)

func main() {
	var r needle.Request
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		fail(err)
	}
	s := needle.Search{Set: needle.NewSet(r.Marks)}
	for _, root := range r.Roots {
		s.Tree(root, r.Skip...)
	}
	if r.AllProcesses {
		if err := s.Processes(); err != nil {
			fail(err)
		}
	}
	for _, pid := range r.Processes {
		s.Process(pid)
	}
	for _, line := range r.Commands {
		s.Command(line)
	}
	if err := json.NewEncoder(os.Stdout).Encode(s.Report); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
