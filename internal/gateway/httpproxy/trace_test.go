package httpproxy

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/observe"
)

// An app's trace goes on with a parent that Lanyard wrote, and with nothing else of what the caller said.
func TestTraceGoesOnAsOurs(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	defer server.Close()
	const inbound = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for sent, trace := range map[string]string{inbound: inbound[3:35], "00-broken": "", "": ""} {
		r, err := http.NewRequest(http.MethodGet, server.URL+"/r/echo/here", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Tracestate", "vendor=x")
		r.Header.Set("Baggage", "user=eve")
		if sent != "" {
			r.Header.Set("Traceparent", sent)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s %v", resp.Status, text, err)
		}
		seen, _ := s.last()
		got := seen.Header.Get("Traceparent")
		if trace == "" && got != "" || trace != "" && (!observe.ValidTraceparent(got) || !strings.Contains(got, trace) || got == inbound) {
			t.Errorf("%q went on as %q", sent, got)
		}
		if seen.Header.Get("Tracestate") != "" || seen.Header.Get("Baggage") != "" {
			t.Errorf("more went on: %v", seen.Header)
		}
	}
}
