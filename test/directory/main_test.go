// Package directory holds the directory to the tenant: whatever Graph, the network and the machine do, it ends equal to
// what the tenant says, and nobody keeps for long what the tenant took.
package directory

import (
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
