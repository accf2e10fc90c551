package apiserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func TestAttack24JSONIsReadOneWay(t *testing.T) {
	for body, says := range map[string]string{
		`{"context_url":"https://git.example.test/a/b"}`: "",
		`{"context_url":"a","context_url":"b"}`:          "context_url stands in it twice",
		`{"Context_URL":"a"}`:                            "Context_URL is not known here",
		`{"context_url":"a"} {"context_url":"b"}`:        "broken",
		"{\"context_url\":\"\xff\"}":                     "broken",
		`{"context_url":7}`:                              "context_url is number, which does not fit there",
		`{"context_url":"` + strings.Repeat("x", 64<<10): "larger than",
	} {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/workspaces", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		var order api.Order
		err := read(r, &order)
		if says == "" {
			if err != nil {
				t.Errorf("%s: %v", body, err)
			}
			continue
		}
		if err == nil || !strings.Contains(problem.Message(err), says) {
			t.Errorf("%.60s: %q, want %q", body, problem.Message(err), says)
		}
	}
}
