// Package people tests what different people may and may not do: viewers, strangers, joiners, maintainers, admins,
// auditors and the operator, and two developers at once.
package people

import (
	"errors"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	payments = "https://git.example.test/payments/api"
	shop     = "https://git.example.test/shop/web"
)

// refused is the answer of a call that has to be refused, or nil with the test marked as failed.
func refused(t *testing.T, what string, err error) *api.Error {
	t.Helper()
	var answer *api.Error
	if err == nil {
		t.Errorf("%s: allowed", what)
	} else if !errors.As(err, &answer) {
		t.Errorf("%s: %v", what, err)
	}
	return answer
}

// allowed checks a call that has to succeed.
func allowed(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// says checks that a text holds all words.
func says(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, text)
		}
	}
}

// signIn signs somebody in whom `dev` does not list.
func signIn(w *harness.World, name, password string) *remote.Remote {
	w.T.Helper()
	r, err := w.Info.SignIn(w.Context(), remote.DevUser{Username: name + "@contoso.example", Password: password})
	if err != nil {
		w.T.Fatal(err)
	}
	w.Is(name, r)
	return r
}
