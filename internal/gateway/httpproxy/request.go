package httpproxy

import (
	"net/http/httputil"
	"net/url"
	"strings"
)

// rewrite makes the request that the app gets of the one that came.
func (x *exchange) rewrite(r *httputil.ProxyRequest) {
	out := r.Out
	escaped := strings.TrimSuffix(x.app.URL.EscapedPath(), "/") + x.path
	decoded, err := url.PathUnescape(escaped)
	if err != nil { // both parts were checked
		decoded = escaped
	}
	out.URL.Scheme, out.URL.Host, out.URL.User = x.app.URL.Scheme, x.app.URL.Host, nil
	// The bytes that were judged are the bytes that go out, so the spelling is kept beside the meaning.
	out.URL.Path, out.URL.RawPath = decoded, escaped
	out.URL.RawQuery = r.In.URL.RawQuery // it decided nothing, and is the app's alone to read
	out.Host = ""
	out.Trailer = nil // nothing is judged after the body
	for name := range out.Header {
		if foreign(name) {
			delete(out.Header, name)
		}
	}
}

// AssertionHeader carries the assertion.
const AssertionHeader = "Lanyard-Assertion"

// dropped are headers that could tell an app who is calling, from where, or that the request is another than was
// judged. Only Lanyard says these things.
var dropped = map[string]bool{
	"authorization": true, "proxy-authorization": true, "cookie": true, "forwarded": true, "via": true,
	"x-real-ip": true, "x-client-ip": true, "client-ip": true, "true-client-ip": true, "cf-connecting-ip": true,
	"x-cluster-client-ip": true, "remote-user": true, "remote-addr": true, "x-remote-user": true, "x-remote-group": true,
	"x-user": true, "x-username": true, "x-email": true, "x-webauth-user": true, "x-http-method": true, "x-rewrite-url": true,
	"x-http-method-override": true, "x-method-override": true, "proxy": true,
}

// droppedPrefixes begin the names of families of such headers.
var droppedPrefixes = []string{
	"lanyard-", "x-lanyard-", "x-forwarded-", "x-auth-request-", "x-original-", "x-ms-client-principal", "x-ms-token-",
	"x-goog-", "x-amzn-oidc-", "cf-access-", "x-pomerium-", "x-envoy-",
}

// foreign reports whether a header is not passed on. Names are compared as an app's framework may fold them: without
// case, and with every sign between letters alike.
func foreign(name string) bool {
	var buf [64]byte
	folded := buf[:0]
	for i := range min(len(name), len(buf)) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		default:
			c = '-'
		}
		folded = append(folded, c)
	}
	if dropped[string(folded)] {
		return true
	}
	for _, p := range droppedPrefixes {
		if len(folded) >= len(p) && string(folded[:len(p)]) == p {
			return true
		}
	}
	return false
}
