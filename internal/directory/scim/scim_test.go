package scim_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

type (
	o = map[string]any
	l = []any
)

var registry = scim.NewRegistry()

// parsed is JSON as a Resource.
func parsed(t *testing.T, s string) scim.Resource {
	t.Helper()
	var r scim.Resource
	if err := json.Unmarshal([]byte(s), &r); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return r
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (- wanted, + got):\n%s", what, d)
	}
}

// refused checks status and type of an error.
func refused(t *testing.T, what string, err error, status int, scimType string) {
	t.Helper()
	var e *scim.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %v, want an error of SCIM", what, err)
		return
	}
	if e.Status != status || e.ScimType != scimType || e.Detail == "" {
		t.Errorf("%s: %d %q %q, want %d %q", what, e.Status, e.ScimType, e.Detail, status, scimType)
	}
}

func fixture(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}
