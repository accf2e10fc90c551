package main

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

// report prints a figure that stands alone.
func report(name string, value float64, unit string) {
	fmt.Printf("BENCH %s %s %s\n", name, number(value), unit)
}

// compare prints a figure beside its peer's.
func compare(name string, value float64, unit, peer string, other float64) {
	fmt.Printf("BENCH %s %s %s vs %s %s %s\n", name, number(value), unit, peer, number(other), number(value/other))
}

// stillOpen says that something was not ended within a time.
func stillOpen(name string, after time.Duration) {
	fmt.Printf("OPEN %s after %s s\n", name, number(after.Seconds()))
}

// skip says that a figure cannot be measured here.
func skip(name, reason string) { fmt.Printf("SKIP %s %s\n", name, reason) }

// tell tells whoever watches how it goes.
func tell(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// number has three significant digits, or all of its integral ones.
func number(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// median of values; 0 of none.
func median[T cmp.Ordered](values []T) T { return percentile(values, 50) }

// percentile is the smallest value that at least p percent of the values do not exceed (nearest rank).
func percentile[T cmp.Ordered](values []T, p float64) (v T) {
	if len(values) == 0 {
		return v
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
