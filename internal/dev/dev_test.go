package dev

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world makes a sample world without starting it.
func world(t *testing.T) *World {
	t.Helper()
	data, err := os.MkdirTemp("", "ly-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LANYARD_AGENT", filepath.Join(data, "lanyard-agent"))
	if err := os.WriteFile(filepath.Join(data, "lanyard-agent"), []byte("#!/bin/true\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := open(t.Context(), Options{Data: data, Listen: "127.0.0.1:0", Runtime: "sandbox", Out: io.Discard, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w
}

// Every route of every site says what it needs: an action, why it is public, or which leases its handler opens itself.
func TestEveryRouteHasAnAction(t *testing.T) {
	w := world(t)
	options, err := w.serverOptions()
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, cancel) }()
	if err := <-done; err != nil {
		t.Error(err)
	}
	known := regexp.MustCompile(`^[a-z]+:[a-z-]+$`)
	routes := 0
	for _, site := range s.Sites() {
		for _, r := range site.Routes {
			routes++
			needs := r.Access.String()
			reason, stated := strings.CutPrefix(needs, "public: ")
			if !stated {
				reason, stated = strings.CutPrefix(needs, "asks: ")
			}
			if stated && len(reason) < 10 || !stated && !known.MatchString(needs) {
				t.Errorf("%s %s %s: %q", site.Name, r.Method, r.Path, needs)
			}
			t.Logf("%-9s %-7s %-36s %s", site.Name, r.Method, r.Path, needs)
		}
	}
	if routes < 40 {
		t.Errorf("%d routes are too few to be all", routes)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		says string
	}{
		{"a listener for everybody", Options{Runtime: "sandbox", Listen: "0.0.0.0:0"}, "loopback addresses only"},
		{"a runtime that there is not", Options{Runtime: "kube"}, `no runtime "kube"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Data, c.o.Log, c.o.Out = t.TempDir(), slog.New(slog.DiscardHandler), io.Discard
			if _, err := open(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("a port in use", func(t *testing.T) {
		w := world(t)
		o := Options{Data: t.TempDir(), Listen: w.listener.Addr().String(), Log: slog.New(slog.DiscardHandler), Out: io.Discard}
		if _, err := open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "--listen") {
			t.Errorf("%v", err)
		}
	})
}

// What is in the data folder stays: secrets are made once, and a project file that somebody changed is not written over.
func TestSecondStart(t *testing.T) {
	w := world(t)
	mine := filepath.Join(w.data, "projects", "payments.yaml")
	if err := os.WriteFile(mine, []byte("project: mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := w.writeProjects(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(mine); err != nil || string(text) != "project: mine\n" {
		t.Errorf("%s %v", text, err)
	}
	again, err := openSecrets(filepath.Join(w.data, "secrets"))
	if err != nil || string(again.Encryption) != string(w.secrets.Encryption) || again.Legacy != w.secrets.Legacy {
		t.Errorf("other secrets at the second start: %v", err)
	}
	for _, name := range []string{"encryption.key", "client-secret", "legacy-git"} {
		info, err := os.Stat(filepath.Join(w.data, "secrets", name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}
