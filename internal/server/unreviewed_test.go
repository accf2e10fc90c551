package server

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// TestAttack30CodeOfForksGetsNoSecrets: who could push to no branch of a repository writes no code that is given secrets.
func TestAttack30CodeOfForksGetsNoSecrets(t *testing.T) {
	commit := strings.Repeat("a", 40)
	for _, c := range []struct {
		ref, said string
		foreign   bool
		given     bool
	}{
		{given: true},
		{said: `{"Commit":"a","Ref":"refs/heads/main"}`, given: true},
		{ref: "main", said: `{"Commit":"a","Ref":"refs/heads/main"}`, given: true},
		{ref: "feature/x", said: `{"Commit":"a","Ref":"refs/heads/feature/x"}`, given: true},
		{ref: "refs/tags/v1", said: `{"Commit":"a","Ref":"refs/tags/v1"}`, given: true},
		{ref: "refs/pull/7/head", said: `{"Commit":"a","Ref":"refs/pull/7/head"}`},
		{ref: "refs/merge-requests/7/head", said: `{"Commit":"a","Ref":"refs/merge-requests/7/head"}`},
		{ref: "refs/pull/7/head", said: `{"Commit":"a","Ref":"refs/heads/fix"}`, given: true}, // a branch of its own is there
		{ref: commit, said: `{"Commit":"` + commit + `","Ref":""}`},
		{ref: "main", said: `{"Commit":"a","Ref":"refs/heads/main"}`, foreign: true},
		// A server that is not read:
		{ref: "main", said: `{"Commit":""}`, given: true},
		{ref: "pull/7/head", said: `{"Commit":""}`},
		{ref: "refs/pull/7/head"},
		{ref: commit},
		{ref: "main", said: `broken`},
	} {
		row := workspace.Workspace{Ref: c.ref, Details: workspace.Details{Said: []byte(c.said), Foreign: c.foreign}}
		if why := unreviewed(row); (why == "") != c.given {
			t.Errorf("%+v: %q", c, why)
		}
	}
}
