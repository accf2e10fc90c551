// Package faults breaks what Lanyard rests on and looks at what is lost and what is allowed: the clock, the network
// between replicas.
package faults

import (
	"os"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("slow: only with LANYARD_SLOW=1 (make test-all)")
	}
}
