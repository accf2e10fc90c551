package observe

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCounterAndHistogramLoseNothing(t *testing.T) {
	var c Counter
	var h Histogram
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				c.Add(2)
				h.Observe(time.Duration(i) * time.Millisecond)
			}
		})
	}
	all.Wait()
	if c.Value() != 16000 {
		t.Errorf("counted %d", c.Value())
	}
	got := h.Totals()
	if got.Count != 8000 || got.Sum != 8*999*500*time.Millisecond {
		t.Errorf("count %d, sum %s", got.Count, got.Sum)
	}
	for i, below := range got.Below {
		want := int64(min(Bounds[i]/time.Millisecond+1, 1000)) * 8
		if below != want {
			t.Errorf("at most %s: %d, want %d", Bounds[i], below, want)
		}
	}
}

func TestTooLongForEveryBucket(t *testing.T) {
	var h Histogram
	h.Observe(time.Hour)
	if got := h.Totals(); got.Count != 1 || got.Below[len(Bounds)-1] != 0 {
		t.Errorf("%+v", got)
	}
}

const inbound = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestTraceparentIsNeverPassedOn(t *testing.T) {
	got := Traceparent(context.Background(), inbound)
	if !ValidTraceparent(got) || got[:36] != inbound[:36] || got[36:52] == inbound[36:52] || got[52:] != "-01" {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{
		"", "00", inbound + "-extra", strings.ToUpper(inbound), "ff" + inbound[2:],
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		strings.Replace(inbound, "-", "_", 1),
	} {
		if got := Traceparent(context.Background(), bad); got != "" {
			t.Errorf("%q became %q", bad, got)
		}
	}
	if !ValidTraceparent("01" + inbound[2:] + "-later") {
		t.Error("a later version's is not read")
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add(inbound)
	f.Add("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more")
	f.Fuzz(func(t *testing.T, s string) {
		if got := Traceparent(context.Background(), s); got != "" && (!ValidTraceparent(got) || len(got) != 55) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
