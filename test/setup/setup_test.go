package setup

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim/provisioning"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/test/harness"
)

var block = regexp.MustCompile("(?s)```(yaml|sh)\n(.*?)```")

// The first hour as docs/entra.md has it: its configuration, its commands, at most three, and the first sign-in.
func TestFirstHour(t *testing.T) {
	harness.Need(t, "bwrap", "git")
	w := newWorld(t)
	page, err := os.ReadFile("../../docs/entra.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 2 || blocks[0][1] != "yaml" || blocks[1][1] != "sh" {
		t.Fatal("docs/entra.md has no configuration with commands after it")
	}
	commands := strings.Split(strings.TrimSpace(w.here(blocks[1][2])), "\n")
	if len(commands) > 3 {
		t.Fatalf("these are more than three commands: %q", commands)
	}
	// What differs from a tenant of Microsoft's: where it is.
	w.write("lanyard.yaml", w.here(blocks[0][2])+fmt.Sprintf("listen: 127.0.0.1:%d\nentra: {authority: %q, graph: %q}\n", w.port, w.url, w.url+"/v1.0"), 0o644)
	for _, line := range commands[:len(commands)-1] {
		args := strings.Fields(line)[1:]
		if strings.Contains(line, "entra setup") {
			args = append(args, "--yes") // nobody is here to be asked
		}
		if s := w.lanyard(args...); s.status != 0 {
			t.Fatalf("%s: %d\n%s\n%s", line, s.status, s.out, s.err)
		}
	}
	w.serve(strings.Fields(commands[len(commands)-1])[1:], func(operator *remote.Remote) {
		b := browser.New()
		defer b.Close()
		base := w.here("https://lanyard.contoso.example")
		if err := b.SignIn(w.context(), base, "margaret@contoso.example", "lanyard-margaret"); err != nil {
			t.Fatal(err)
		}
		me := remote.As(b, base)
		defer me.Close()
		who, err := me.Me(w.context())
		if err != nil || who.Name != "margaret" {
			t.Errorf("signed in is %+v, %v", who, err)
		}
		w.eventually("margaret is an administrator", func() bool {
			_, err := me.Leases(w.context(), "")
			return err == nil
		})
		doctor := said{}
		for end := time.Now().Add(harness.Wait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			doctor = w.lanyard("entra", "doctor", "--config", w.here("/etc/lanyard/lanyard.yaml"))
			if doctor.status == 0 && !strings.Contains(doctor.out, "\nnote") {
				break
			}
		}
		if doctor.status != 0 || strings.Contains(doctor.out, "\nnote") {
			t.Errorf("the doctor says with status %d:\n%s%s", doctor.status, doctor.out, doctor.err)
		}
		stranger := browser.New()
		defer stranger.Close()
		if err := stranger.SignIn(w.context(), base, "mallory@contoso.example", "lanyard-mallory"); err == nil || !strings.Contains(err.Error(), "50105") {
			t.Errorf("who is not assigned: %v", err)
		}
		w.provisions(operator)
	})
}

// provisions makes the second application on the machine where Lanyard runs now, and gives the tenant a secret, once.
func (w *world) provisions(operator *remote.Remote) {
	w.t.Helper()
	w.azLogin("margaret")
	args := []string{"entra", "setup", "--config", filepath.Join(w.dir, "lanyard.yaml"), "--provisioning", "--yes", "--assign", "payments-engineers"}
	if s := w.lanyard(args...); s.status != 0 || !strings.Contains(s.out, "done: tell it where Lanyard is, and the secret") || !strings.Contains(s.out, "done: start it") {
		w.t.Fatalf("setup --provisioning: %+v", s)
	}
	if s := w.lanyard(args...); s.status != 0 || !strings.Contains(s.out, "Nothing is to be changed.") {
		w.t.Errorf("setup --provisioning again: %+v", s)
	}
	p, err := operator.Provisioning(w.context())
	if err != nil || len(p.Secrets) != 1 || p.Secrets[0].Name != "entra" {
		w.t.Errorf("Lanyard's secrets: %+v %v", p.Secrets, err)
	}
	transport := &http.Transport{DialContext: server.Dial}
	defer transport.CloseIdleConnections()
	jobs := provisioning.NewJobs(provisioning.JobsConfig{Source: w.Tenant, HTTP: &http.Client{Transport: transport}})
	ctx, stop := context.WithCancel(w.t.Context())
	over := make(chan struct{})
	go func() { defer close(over); jobs.Run(ctx) }()
	defer func() { stop(); <-over }()
	w.eventually("the tenant has provisioned who is assigned", func() bool {
		p, err := operator.Provisioning(w.context())
		return err == nil && p.UserCount > 0 && p.GroupCount > 0
	})
}

// serve runs the server while f runs.
func (w *world) serve(args []string, f func(operator *remote.Remote)) {
	w.t.Helper()
	var log harness.Buffer
	cmd := w.command(w.t.Context(), filepath.Join(w.bin, "lanyard"), args...)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("the server's log:\n%s", log.String())
		}
	}()
	w.eventually("serve is ready", func() bool { return strings.Contains(log.String(), "Lanyard serves") })
	operator := remote.Socket(filepath.Join(w.dir, "data", "lanyard.sock"))
	defer operator.Close()
	f(operator)
}

func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	end := time.Now().Add(harness.Wait)
	for !holds() {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
