package packages

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
)

// pythonIndex serves one wheel as a simple index does (PEP 503), to who has the password alone. It returns its address, and a file
// with user and password.
func pythonIndex(t *testing.T) (address, passwordFile string) {
	t.Helper()
	const user, password, name = "ci", "only-for-this-test", "greeting-1.0-py3-none-any.whl"
	whole := wheel(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /simple/greeting/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!DOCTYPE html><html><body><a href=\"../../files/%s#sha256=%x\">%[1]s</a></body></html>\n", name, sha256.Sum256(whole))
	})
	mux.HandleFunc("GET /files/"+name, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/zip")
		_, _ = w.Write(whole)
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	passwordFile = filepath.Join(t.TempDir(), "password")
	write(t, passwordFile, user+":"+password)
	return s.Listener.Addr().String(), passwordFile
}

// wheel is a package of one module (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
func wheel(t *testing.T) []byte {
	t.Helper()
	const module, info = "greeting.py", "greeting-1.0.dist-info/"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, file := range [][2]string{
		{module, "hello = 'hello from a wheel'\n"},
		{info + "METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", module + ",,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		f, err := z.Create(file[0])
		if err == nil {
			_, err = f.Write([]byte(file[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
