package server

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// AgentPath is the workspace agent's binary: beside this program's, or where LANYARD_AGENT says.
func AgentPath() (string, error) {
	path := os.Getenv("LANYARD_AGENT")
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find the workspace agent: %w", err)
		}
		path = filepath.Join(filepath.Dir(self), "lanyard-agent")
	}
	if _, err := os.Stat(path); err != nil {
		return "", problem.Wrap(err, problem.Unavailable,
			"The workspace agent is not at %s. `make build` puts it beside lanyard.", path)
	}
	return path, nil
}
