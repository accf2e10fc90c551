package clients

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/test/harness"
)

// npm runs a program of js with Ada at its browser, and gives the steps that passed.
func (w *world) npm(t *testing.T, program string) (steps []string) {
	t.Helper()
	harness.Need(t, "node")
	if _, err := os.Stat("js/node_modules/openid-client"); err != nil {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatal("the clients are not installed (npm --prefix test/clients/js ci), and LANYARD_REQUIRE=all")
		}
		t.Skip("the clients are not installed: npm --prefix test/clients/js ci")
	}
	ctx := within(t)
	cmd := exec.CommandContext(ctx, "node", filepath.Join("js", program))
	var log harness.Buffer
	cmd.Stderr = &log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", program, err, log.String())
		}
	}()
	say := json.NewEncoder(in)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var said struct {
			Ready, Done         bool
			Visit, Type, Passed string
		}
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		answer := map[string]any{}
		switch {
		case said.Done:
			return steps
		case said.Ready:
			answer = w.settings()
		case said.Visit != "":
			if answer["location"], err = w.visit(ctx, said.Visit); err != nil {
				t.Error(err)
				return steps
			}
		case said.Type != "":
			if err := w.types(ctx, said.Type); err != nil {
				t.Error(err)
				return steps
			}
		default:
			steps = append(steps, said.Passed)
		}
		if err := say.Encode(answer); err != nil {
			t.Errorf("%s: %v\n%s", program, err, log.String())
			return steps
		}
	}
	t.Errorf("%s has not come to its end after %q\n%s", program, steps, log.String())
	return steps
}

// settings are what the programs know before.
func (w *world) settings() map[string]any {
	return map[string]any{
		"issuer": w.url, "person": entrasim.AdaID, "name": "Ada Lovelace", "workloadType": issuer.WorkloadType,
		"portal":  map[string]string{"id": "portal", "secret": portalSecret, "redirect": back},
		"planner": map[string]string{"id": "planner", "secret": plannerSecret},
		"native":  map[string]string{"id": "native", "redirect": onLoopback},
	}
}
