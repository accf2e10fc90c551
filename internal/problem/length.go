package problem

import (
	"strings"
	"time"
)

// Length prints a duration for people, to the second and without its zeroes: 1h, 90m, 1h30m5s.
func Length(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
