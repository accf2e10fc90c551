package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// places makes what a setup wants beside the checkouts: a path that leads to the checkout, and folders that are kept with what
// is around them instead of being volumes. All of it is made as the workspace's user, where that user may; what is there stays.
func (a *Agent) places(s agentapi.Setup, dir string, say func(agentapi.Progress)) {
	if s.Link != "" {
		if err := linkTo(dir, s.Link); err != nil {
			say(agentapi.Progress{Phase: "files", Text: fmt.Sprintf("%s does not lead to the checkout, which is at %s: %v", s.Link, dir, err)})
		}
	}
	for _, folder := range s.Folders {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			say(agentapi.Progress{Phase: "files", Text: fmt.Sprintf("The folder %s could not be made: %v", folder, err)})
		}
	}
}

// linkTo makes a link at a path, unless it is one there already.
func linkTo(dir, at string) error {
	if there, err := exists(at); err != nil {
		return err
	} else if there {
		if to, err := filepath.EvalSymlinks(at); err == nil && to == dir {
			return nil
		}
		return errors.New("something else is there")
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.Symlink(dir, at)
}
