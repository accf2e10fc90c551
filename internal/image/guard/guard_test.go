package guard

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/lanyardhq/lanyard/internal/problem"
)

const layerPath = "/v2/x/y/blobs/sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// serve is a registry whose answers are longer than a bound, or slower.
func serve(t *testing.T) (base string, layer name.Digest) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/slow" || r.URL.Query().Has("slow"):
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte("x")); err != nil || http.NewResponseController(w).Flush() != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		case r.URL.Path == "/to":
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
		default:
			if r.URL.Path == "/bad" {
				w.WriteHeader(http.StatusBadGateway)
			}
			_, _ = w.Write(make([]byte, MaxAnswer+1)) // who asks may go
		}
	}))
	t.Cleanup(s.Close)
	layer, err := name.NewDigest(strings.TrimPrefix(s.URL, "http://") + "/x/y@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	return s.URL, layer
}

// Only the answer with the layer that was asked for is longer than a bound, whatever else is asked on its way.
func TestAttack27OnlyLayersAreLong(t *testing.T) {
	base, layer := serve(t)
	next := &http.Transport{}
	t.Cleanup(next.CloseIdleConnections)
	client := http.Client{Transport: Transport{Next: next}}
	for _, c := range []struct {
		path string
		kind problem.Kind // of the error
		n    int          // bytes where there is none
	}{
		{path: layerPath, n: MaxAnswer + 1},
		{path: layerPath + "?service=x", kind: problem.TooLarge}, // a realm
		{path: "/token", kind: problem.TooLarge},
		{path: "/to?to=" + layerPath, kind: problem.TooLarge},
		{path: "/bad", n: maxError},
	} {
		r, err := http.NewRequestWithContext(Layer(t.Context(), layer), http.MethodGet, base+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		got, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if c.n > 0 && (err != nil || len(got) != c.n) || c.n == 0 && problem.KindOf(err) != c.kind {
			t.Errorf("%s: %d bytes, %v", c.path, len(got), err)
		}
	}
}

// A layer that lies behind a redirect, as those of most registries do, is whole.
func TestLayersBehindRedirects(t *testing.T) {
	inner := http.NewServeMux()
	inner.HandleFunc("GET "+layerPath, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/signed?by=x", http.StatusTemporaryRedirect)
	})
	inner.HandleFunc("GET /signed", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, MaxAnswer+1)) })
	s := httptest.NewServer(inner)
	defer s.Close()
	layer, err := name.NewDigest(strings.TrimPrefix(s.URL, "http://") + "/x/y@" + layerPath[strings.Index(layerPath, "sha256"):])
	if err != nil {
		t.Fatal(err)
	}
	next := &http.Transport{}
	defer next.CloseIdleConnections()
	r, err := http.NewRequestWithContext(Layer(t.Context(), layer), http.MethodGet, s.URL+layerPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: Transport{Next: next}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, err := io.ReadAll(answer.Body); err != nil || len(got) != MaxAnswer+1 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A registry that sends a byte now and then holds nobody for long: neither with a layer nor with anything else.
func TestAttack33RegistriesThatTrickle(t *testing.T) {
	base, layer := serve(t)
	next := &http.Transport{}
	t.Cleanup(next.CloseIdleConnections)
	client := http.Client{Transport: Transport{Next: next, Within: 100 * time.Millisecond}}
	for _, path := range []string{"/slow", "/to?to=/slow"} {
		r, err := http.NewRequestWithContext(Layer(t.Context(), layer), http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(answer.Body); problem.KindOf(err) != problem.SlowUpstream {
			t.Errorf("%s: %v", path, err)
		}
		answer.Body.Close()
	}
}

func TestShort(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"a\x1b[2Jb\nc":            "a [2Jb c",
		strings.Repeat("é", 1000): strings.Repeat("é", 150) + "…",
	} {
		if got := Short(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
