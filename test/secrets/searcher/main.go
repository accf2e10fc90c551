// Searcher runs inside a workspace, as its user, and looks for secrets by their marks in all that it can read. It
// takes a request as JSON and prints a needle.Report.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/lanyardhq/lanyard/test/secrets/needle"
)

func main() {
	var request struct {
		Marks    []needle.Mark `json:"marks"`
		Commands []string      `json:"commands"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
		fail(err)
	}
	s := needle.Search{Set: needle.NewSet(request.Marks)}
	// /usr is the machine's own, read-only, and the same for all; /proc is looked at process by process.
	s.Tree("/", "/usr", "/proc", "/sys")
	if err := s.Processes(); err != nil {
		fail(err)
	}
	for _, line := range request.Commands {
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
