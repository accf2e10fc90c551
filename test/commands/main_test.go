// Package commands tests the command line as a person has it on a machine of their own, signed in to a server elsewhere:
// every command goes as them, says what is wrong and what to do, and ends as scripts expect.
package commands

import (
	"encoding/json"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

// One world serves all: what a test ends belongs to somebody that no other test plays.
func TestCommands(t *testing.T) {
	w := harness.Start(t)
	for _, one := range []struct {
		name string
		run  func(*testing.T, *harness.World)
	}{
		{"as a person", asAPerson},
		{"interrupted", interrupted},
		{"completion", completion},
		{"a group goes", aGroupGoes},
		{"sessions", sessions},
	} {
		t.Run(one.name, func(t *testing.T) {
			w.T = t
			one.run(t, w)
		})
	}
	w.T = t
}

// parsed reads what a command printed with --json.
func parsed[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
