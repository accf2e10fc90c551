package cli

import (
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// lookEvery is how often a console is asked for its size: it tells nobody of a change.
const lookEvery = 500 * time.Millisecond

// resized tells when the terminal may have another size, until stop is called.
func resized() (changed <-chan time.Time, stop func()) {
	t := time.NewTicker(lookEvery)
	return t.C, t.Stop
}

// coloured makes a console understand colours, and reports whether it does.
func coloured(f *os.File) bool {
	console := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(console, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
