//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// resized tells when the terminal may have another size, until stop is called.
func resized() (changed <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}

// coloured reports whether a terminal understands colours: here all do.
func coloured(*os.File) bool { return true }
