package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestGuardRefusesBrowsersOnDataPaths(t *testing.T) {
	request := func(path string, header ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		return r
	}
	for _, r := range []*http.Request{
		request("/r/ledger/x", "Cookie", "a=b"),
		request("/r/ledger/x", "Sec-Fetch-Mode", "navigate"),
		request("/git/git.example.test/a/info/refs", "Cookie", ""),
		request("/r/ledger/a%2fb"),
		request("/git/git.example.test/../x"),
	} {
		if Guard(r) == nil {
			t.Errorf("%s %v passed", r.RequestURI, r.Header)
		}
	}
	for _, r := range []*http.Request{
		request("/r/ledger/x", "Sec-Fetch-Mode", "cors"), // Node's fetch sends it
		request("/git/git.example.test/payments/api/info/refs?service=git-upload-pack"),
		request("/", "Cookie", "a=b", "Sec-Fetch-Mode", "navigate"),
	} {
		if err := Guard(r); err != nil {
			t.Errorf("%s %v: %v", r.RequestURI, r.Header, err)
		}
	}
}
