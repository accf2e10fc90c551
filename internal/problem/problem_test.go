package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestKindsAndStatuses(t *testing.T) {
	seen := map[int]Kind{}
	for k := Internal; k <= TooMany; k++ {
		if k.String() == "" || k.Status() < 400 {
			t.Errorf("kind %d: %q %d", k, k, k.Status())
		}
		if other, twice := seen[k.Status()]; twice {
			t.Errorf("%s and %s share %d", k, other, k.Status())
		}
		seen[k.Status()] = k
		if KindOfStatus(k.Status()) != k {
			t.Errorf("%d leads to %s", k.Status(), KindOfStatus(k.Status()))
		}
	}
	if KindOfStatus(418) != Internal {
		t.Error("a status of nobody's")
	}
}

// What nobody classified is not shown; the cause of what was is for the log alone.
func TestOnlyTheMessageIsShown(t *testing.T) {
	secret := errors.New("password=hunter2")
	for _, c := range []struct {
		err  error
		kind Kind
		says string
	}{
		{secret, Internal, "its log says what"},
		{Wrap(secret, Unavailable, "The database does not answer."), Unavailable, "The database does not answer."},
		{fmt.Errorf("while starting: %w", New(NotFound, "There is no %s here.", "such thing")), NotFound, "There is no such thing here."},
	} {
		w := httptest.NewRecorder()
		Write(w, c.err)
		var d Document
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.kind.Status() || d.Status != w.Code || !strings.Contains(d.Detail, c.says) || !strings.HasSuffix(d.Type, c.kind.String()) {
			t.Errorf("%v: %d %+v", c.err, w.Code, d)
		}
		if strings.Contains(w.Body.String(), "hunter2") || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: %s", w.Header(), w.Body)
		}
	}
}

// Where another system refused, a text says who can mend it and by what it is found there.
func TestWords(t *testing.T) {
	for want, err := range map[string]error{
		"No.": New(Denied, "No."),
		"No. You can mend this yourself. Sign in again. (AADSTS70043)":                                 &Error{Message: "No.", Help: &Help{Code: "AADSTS70043", Who: "you", Do: "Sign in again."}},
		"No. This can be mended by an administrator. They assign you. (AADSTS50105, correlation ID 1)": &Error{Message: "No.", Help: &Help{Code: "AADSTS50105", Who: "an administrator", Do: "They assign you.", Correlation: "1"}},
		"No. (correlation ID 1)": fmt.Errorf("while signing in: %w", &Error{Message: "No.", Help: &Help{Correlation: "1"}}),
	} {
		if got := Words(err); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
