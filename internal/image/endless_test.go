package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// endless is an answer that goes on as long as it is read, to a bound that nobody should come near.
type endless struct{ sent atomic.Int64 }

const tooMuch = 48 << 20

func (e *endless) answer(w http.ResponseWriter, head string) {
	_, _ = io.WriteString(w, head)
	for b := []byte(strings.Repeat(" ", 1<<20)); e.sent.Load() < tooMuch; {
		n, err := w.Write(b)
		e.sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// Nothing that a registry says beside an image's layers is read without end, wherever it says it.
func TestAttack27RegistriesWithoutEnd(t *testing.T) {
	const manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	sum := sha256.Sum256([]byte("x"))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":-1,"digest":"sha256:%s"},"layers":[]}`,
		manifestType, hex.EncodeToString(sum[:]))
	for name, serve := range map[string]func(e *endless, w http.ResponseWriter, r *http.Request){
		"configuration of no size": func(e *endless, w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.Header().Set("Content-Type", manifestType)
				_, _ = io.WriteString(w, manifest)
			} else if strings.Contains(r.URL.Path, "/blobs/") {
				e.answer(w, "")
			}
		},
		"token": func(e *endless, w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				e.answer(w, `{"token":"a"`)
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/v2/x/y/blobs/sha256:`+hex.EncodeToString(sum[:])+`",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"error": func(e *endless, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				w.WriteHeader(http.StatusTeapot)
				e.answer(w, "")
			}
		},
		"error behind a redirect": func(e *endless, w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.Contains(r.URL.Path, "/manifests/"):
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			case r.URL.Path == "/elsewhere":
				w.WriteHeader(http.StatusTeapot)
				e.answer(w, "")
			}
		},
		"manifest behind a redirect": func(e *endless, w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.Contains(r.URL.Path, "/manifests/"):
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			case r.URL.Path == "/elsewhere":
				w.Header().Set("Content-Type", manifestType)
				e.answer(w, manifest)
			}
		},
		"the API's own address": func(e *endless, w http.ResponseWriter, r *http.Request) { e.answer(w, "") },
	} {
		t.Run(name, func(t *testing.T) {
			var e endless
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(&e, w, r) }))
			defer s.Close()
			web := &http.Transport{}
			defer web.CloseIdleConnections()
			a, err := NewAsker(web, nil)
			if err != nil {
				t.Fatal(err)
			}
			host := strings.TrimPrefix(s.URL, "http://")
			ref, err := ParseReference(host + "/x/y:z")
			if err != nil {
				t.Fatal(err)
			}
			asked := func() error { _, err := a.Digest(t.Context(), ref, "", ""); return err }
			tried := func() error { return a.Try(t.Context(), host, "u", "p") }
			for _, do := range []func() error{asked, tried} {
				e.sent.Store(0)
				if err := do(); err != nil && len(err.Error()) > 1000 {
					t.Errorf("an error of %d bytes: %.200s", len(err.Error()), err)
				}
				if n := e.sent.Load(); n >= tooMuch {
					t.Errorf("%d MiB were read", n>>20)
				}
			}
			if err := asked(); err == nil {
				t.Error("there is an image")
			}
		})
	}
}
