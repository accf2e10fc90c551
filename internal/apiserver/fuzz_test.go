package apiserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Whatever cursor is sent, a page is a part of the list, in order, and the cursors it gives lead through the rest.
func FuzzCursor(f *testing.F) {
	f.Add("", "")
	f.Add("aXRlbS0x", "2")
	f.Add("!", "0")
	f.Add("//8", "501")
	var list []string
	for i := range 20 {
		list = append(list, fmt.Sprintf("item-%02d", i))
	}
	f.Fuzz(func(t *testing.T, cursor, limit string) {
		seen := 0
		for range len(list) + 1 {
			q := url.Values{"cursor": {cursor}, "limit": {limit}}
			r := httptest.NewRequest(http.MethodGet, "/api/v1/things?"+q.Encode(), nil)
			page, err := pageOf(r, slices.Clone(list), func(s string) string { return s })
			if err != nil {
				if problem.KindOf(err) != problem.Invalid {
					t.Fatalf("%q %q: %v", cursor, limit, err)
				}
				return
			}
			if !slices.IsSorted(page.Items) {
				t.Fatalf("%q %q: %v", cursor, limit, page.Items)
			}
			seen += len(page.Items)
			if page.Next == "" {
				break
			}
			cursor = page.Next
		}
		if seen > len(list) {
			t.Fatalf("%d items of %d", seen, len(list))
		}
	})
}

// A body is read whole or refused in words of JSON, never of Go.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"context_url":"https://git.example.test/payments/api"}`, `{"context_url":1}`, `{"context_url":"a","context_url":"b"}`, `{"Context_URL":"a"}`,
		`{"x":{}}`, `{`, ``, `null`, `[]`, `{} {}`, "{\"context_url\":\"\xff\"}", `{"context_url":null}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/workspaces", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		var order api.Order
		err := read(r, &order)
		if err == nil {
			return
		}
		said := problem.Message(err)
		for _, word := range []string{"api.Order", "Go ", "struct", "jsontext", "unmarshal"} {
			if strings.Contains(said, word) && !strings.Contains(body, word) {
				t.Fatalf("%q: %s", body, said)
			}
		}
	})
}
