package web

import "testing"

func TestAttack07WhatIsSpeltAnewLeadsNowhere(t *testing.T) {
	for _, s := range []string{`/%2fevil.example.test/"`, `/%2Fevil.example.test/<`, `/%2fevil.example.test/|`, "/%2fevil.example.test/ü", `/%5cevil.example.test/"`} {
		if got, err := LocalPath(s); err == nil {
			t.Errorf("%q leads to %q", s, got)
		}
	}
	for _, s := range []string{"/", "/workspaces/w-1?tab=log&x=%2f", "/a%20b", "/%C3%BC", "/?"} {
		if got, err := LocalPath(s); err != nil || got != s {
			t.Errorf("%q: %q %v", s, got, err)
		}
	}
}
