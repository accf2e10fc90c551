// Package oidc tests `lanyard serve` with people who sign in at an OpenID provider that is not Entra: one that is
// certified (oidc-provider, as a process of its own) and another project's (zitadel's).
package oidc

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // zitadel's example writes a line for each request
	harness.Main(m)
}

// within ends with the test's patience.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Wait)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(harness.Wait); !so(); {
		if time.Now().After(end) {
			t.Fatalf("not so after %v: %s", harness.Wait, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
