package harness

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
)

// Said is what a command of the command line printed, and how it ended.
type Said struct {
	Out, Err string
	Status   int
}

// Lanyard runs the `lanyard` program against this world's socket.
func (w *World) Lanyard(args ...string) Said {
	w.T.Helper()
	ctx := w.Context()
	cmd := exec.CommandContext(ctx, w.Program(), args...)
	cmd.Env = append(os.Environ(), "LANYARD_SOCKET="+w.Info.Socket)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.T.Fatalf("lanyard %s: %v", strings.Join(args, " "), err)
	}
	return Said{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// Bin is the folder of both programs.
func (w *World) Bin() string { return w.bin }
