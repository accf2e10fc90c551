package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// What would be lost is shown, to who can be asked and to who cannot; and nothing goes without a yes.
func TestDeleteShowsWhatWouldBeLost(t *testing.T) {
	forced := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodDelete && r.URL.RawQuery == "":
			problem.Write(w, problem.New(problem.Conflict, "It holds 1 file that is not committed."))
		case r.Method == http.MethodDelete:
			forced++
			w.WriteHeader(http.StatusNoContent)
		default:
			_ = json.NewEncoder(w).Encode(api.Unsaved{Checkouts: []api.UnsavedCheckout{{Folder: "api", Changed: 1, Files: []string{"notes.txt"}}}})
		}
	}))
	defer s.Close()
	for _, c := range []struct {
		answer string
		asks   bool
		forced int
	}{{"y\n", true, 1}, {"n\n", true, 0}, {"y\n", false, 0}} {
		forced = 0
		var errs bytes.Buffer
		a := &app{c: Config{Stdin: strings.NewReader(c.answer), Env: func(string) string { return "" }}}
		a.err = newOutput(&errs, a.c.Env)
		r := &remote.Remote{Client: &api.Client{URL: s.URL, HTTP: s.Client()}}
		err := a.deleteOne(t.Context(), r, "w-abcdefghij234567", false, c.asks)
		if forced != c.forced || (err == nil) != (c.forced == 1) || !strings.Contains(errs.String(), "api: notes.txt") {
			t.Errorf("%+v: %d forced, %v, %s", c, forced, err, errs.String())
		}
		var refused *api.Error
		if !c.asks && !errors.As(err, &refused) {
			t.Errorf("without a terminal: %v", err)
		}
	}
}
