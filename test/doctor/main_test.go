// Package doctor plants faults in a sound installation, a real server beside a simulated tenant, and looks whether
// `lanyard entra doctor` finds each of them, and nothing where there is none.
package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

// authority signs the certificates of these tests. The server and this process trust it, as their system's.
var authority *issuer

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ly-ca-")
	if err == nil {
		authority, err = newIssuer(time.Now())
	}
	if err == nil {
		file := filepath.Join(dir, "ca.pem")
		err = os.WriteFile(file, authority.pem(), 0o644)
		os.Setenv("SSL_CERT_FILE", file)
		os.Setenv("SSL_CERT_DIR", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	harness.Main(m)
}
