package project

import (
	"strings"
	"testing"
	"time"
)

func TestPrebuildsAreRead(t *testing.T) {
	parse := func(entry string) (Repository, error) {
		result, err := Parse(Input{Revision: Revision{Number: 1, Projects: map[string]string{
			"a.yaml": "project: a\nrepositories:\n  - url: https://git.example.test/a/b\n" + entry,
		}}})
		if err != nil {
			return Repository{}, err
		}
		_, r, _ := result.Set.ForRepository("https://git.example.test/a/b")
		return r, nil
	}
	r, err := parse("    prebuilds: true\n")
	if err != nil || r.Prebuilds == nil || !r.Prebuilds.Push || r.Prebuilds.Keep != DefaultPrebuilt {
		t.Fatalf("%+v %v", r.Prebuilds, err)
	}
	for ref, want := range map[string]bool{"refs/heads/main": true, "refs/heads/other": false, "refs/pull/7/head": false, "refs/tags/main": false} {
		if got := r.Prebuilds.Takes(ref, ref != "refs/heads/other"); got != want {
			t.Errorf("%s: %v", ref, got)
		}
	}
	r, err = parse("    credential: {basic_file: /etc/lanyard/git}\n    prebuilds: {branches: [main, release/*], push: false, poll: 15m, every: 24h, keep: 5}\n")
	if p := r.Prebuilds; err != nil || p == nil || p.Push || p.Poll != 15*time.Minute || p.Every != 24*time.Hour || p.Keep != 5 {
		t.Fatalf("%+v %v", p, err)
	}
	for ref, want := range map[string]bool{"refs/heads/main": true, "refs/heads/release/1": true, "refs/heads/other": false, "refs/merge-requests/7/head": false} {
		if got := r.Prebuilds.Takes(ref, false); got != want {
			t.Errorf("%s: %v", ref, got)
		}
	}
	if r, err := parse("    prebuilds: false\n"); err != nil || r.Prebuilds != nil {
		t.Error(r.Prebuilds, err)
	}
	for entry, want := range map[string]string{
		"    credential: {entra: \"api://x/.default\"}\n    prebuilds: true\n": "a credential that is the server's own",
		"    credential: {github_user: hub}\n    prebuilds: true\n":            "a credential that is the server's own",
		"    sensitive: c1\n    prebuilds: true\n":                             "a sensitive repository has no prebuilds",
		"    prebuilds: {branches: [refs/pull/*/head]}\n":                      "never of merge requests",
		"    prebuilds: {branches: [a..b]}\n":                                  "no ref is called",
		"    prebuilds: {poll: 10ms}\n":                                        "`poll` is at least 1s",
		"    prebuilds: {keep: 0}\n":                                           "keeps 1 to 50",
		"    prebuilds: {forks: true}\n":                                       "forks",
	} {
		if _, err := parse(entry); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", entry, err)
		}
	}
}
