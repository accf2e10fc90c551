package harness_test

import (
	"os"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// TestAnEngineOfOnesOwn starts it, and starts it again after it was killed.
func TestAnEngineOfOnesOwn(t *testing.T) {
	e := harness.Docker(t)
	if _, err := os.Stat(e.Socket); err != nil {
		t.Fatal(err)
	}
	e.Kill()
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
}
