package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// state is what is kept of a workspace beside its files.
type state struct {
	UID     int          `json:"uid"`               // host user and group that it runs as
	Beside  string       `json:"beside,omitempty"`  // label of the workspace that it stands beside
	Shared  bool         `json:"shared,omitempty"`  // its files, and its user, are that workspace's
	Process *process     `json:"process,omitempty"` // process 1 of the last run; nil when it was stopped
	Started time.Time    `json:"started"`           // of the last run
	Agent   string       `json:"agent,omitempty"`   // the copy of the agent that the last run uses
	Etc     string       `json:"etc,omitempty"`     // the generated /etc that it uses
	Image   string       `json:"image,omitempty"`   // the image of the last run, by digest; empty: the machine's own files
	Groups  controlGroup `json:"groups,omitempty"`  // its control groups
	Files   string       `json:"files,omitempty"`   // where that image is unpacked
}

const stateFile = "state.json"

// readState returns an os.ErrNotExist when there is none.
func readState(dir string) (state, error) {
	var s state
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("sandbox: %s: %w", filepath.Join(dir, stateFile), err)
	}
	return s, nil
}

// writeState replaces the state whole: a server that dies in between leaves the old one or the new one.
func writeState(dir string, s state) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("sandbox: state: %w", err)
	}
	path := filepath.Join(dir, stateFile)
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("sandbox: state: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return fmt.Errorf("sandbox: state: %w", err)
	}
	return nil
}
