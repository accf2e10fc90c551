package project

import (
	"slices"
	"testing"
)

func TestPatternsMatchBySegments(t *testing.T) {
	for pattern, refs := range map[string][2][]string{
		"refs/heads/main":      {{"refs/heads/main"}, {"refs/heads/main2", "refs/heads/main/x", "refs/heads", "refs/heads/mai", "refs/tags/main"}},
		"refs/heads/release/*": {{"refs/heads/release/1"}, {"refs/heads/release", "refs/heads/release/1/2", "refs/heads/releases/1"}},
		"refs/heads/*-fix":     {{"refs/heads/a-fix", "refs/heads/-fix"}, {"refs/heads/fix", "refs/heads/a/b-fix"}},
		"refs/heads/a*a":       {{"refs/heads/aa", "refs/heads/aba"}, {"refs/heads/a"}},
		"refs/tags/**":         {{"refs/tags/v1", "refs/tags/a/b"}, {"refs/tags", "refs/heads/v1"}},
		"refs/*/main":          {{"refs/heads/main", "refs/x/main"}, {"refs/a/b/main"}},
	} {
		for i, list := range refs {
			for _, ref := range list {
				if got := RefPattern(pattern).Match(ref); got != (i == 0) {
					t.Errorf("%s and %s: %v", pattern, ref, got)
				}
			}
		}
	}
}

func TestRefRulesAreRead(t *testing.T) {
	text := "project: p\nrepositories:\n  - url: https://git.example.test/a/b\n    refs:\n"
	read := func(rules string) (Repository, error) {
		r, err := Parse(Input{Tenant: "t", Revision: Revision{Projects: map[string]string{"p.yaml": text + rules}}})
		if err != nil {
			return Repository{}, err
		}
		_, repo, _ := r.Set.ForRepository("https://git.example.test/a/b")
		return repo, nil
	}
	repo, err := read("      - match: [refs/heads/main, refs/heads/release/*]\n        push: maintainer\n        delete: nobody\n      - {match: refs/heads/**, force: nobody}\n")
	if err != nil {
		t.Fatal(err)
	}
	rule, by := repo.RefRule("refs/heads/release/1")
	if by != "refs/heads/release/*" || rule.Push != Maintainers || rule.Force != Maintainers || rule.Create != Maintainers || rule.Delete != Nobody {
		t.Errorf("%+v by %s", rule, by)
	}
	if rule, _ = repo.RefRule("refs/heads/topic"); rule.Push != AnyPusher || rule.Force != Nobody || rule.Delete != AnyPusher {
		t.Errorf("%+v", rule)
	}
	if _, by = repo.RefRule("refs/tags/v1"); by != "" || !slices.Contains(rule.Patterns, "refs/heads/**") {
		t.Errorf("a tag by %q", by)
	}
	for _, wrong := range []string{
		"      - {match: main, push: nobody}\n", "      - {push: nobody}\n", "      - {match: refs/heads/**/x}\n", "      - {match: refs/heads/a**}\n",
		"      - {match: refs/heads//x}\n", "      - {match: refs/heads/x, push: viewer}\n", "      - {match: refs/heads/x, pull: nobody}\n", "      - {match: \"refs/heads/a b\"}\n",
	} {
		if _, err := read(wrong); err == nil {
			t.Errorf("accepted: %s", wrong)
		}
	}
}
