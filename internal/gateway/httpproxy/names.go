package httpproxy

// ordinary reports whether a header is one of those that nearly every request has and that always pass, as written
// by net/http. It only saves looking closer.
func ordinary(name string) bool {
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Language", "User-Agent", "Content-Type", "Cache-Control", "Pragma", "Range",
		"If-None-Match", "If-Modified-Since", "Origin", "Referer", "Traceparent", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Dest",
		"Sec-Fetch-User", "Upgrade-Insecure-Requests", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform", "X-Requested-With":
		return true
	}
	return false
}

// hopByHop reports whether a header is about the connection that it came on (RFC 9110 section 7.6.1). Those that a
// Connection header names are so too.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Http2-Settings":
		return true
	}
	return false
}

// framing reports whether a header says where a message ends or where it goes, which nothing may say once more.
func framing(name string) bool {
	switch name {
	case "Content-Length", "Transfer-Encoding", "Host", "Content-Encoding", "Content-Range", "Content-Type", "Expect":
		return true
	}
	return false
}

// dropped are headers that could tell an app who is calling, from where, or that the request is another than was
// judged. Only Lanyard says these things.
var dropped = map[string]bool{
	"authorization": true, "dpop": true, "proxy-authorization": true, "cookie": true, "forwarded": true, "via": true,
	"x-real-ip": true, "x-client-ip": true, "client-ip": true, "true-client-ip": true, "cf-connecting-ip": true,
	"x-cluster-client-ip": true, "remote-user": true, "remote-addr": true, "x-remote-user": true, "x-remote-group": true,
	"x-user": true, "x-username": true, "x-email": true, "x-webauth-user": true, "x-http-method": true, "x-rewrite-url": true,
	"x-http-method-override": true, "x-method-override": true, "proxy": true,
}

// folding are headers that are dropped in every spelling but their own: a framework that folds names would read them
// instead of what the request is framed by.
var folding = map[string]string{
	"content-length": "Content-Length", "transfer-encoding": "Transfer-Encoding", "connection": "Connection", "upgrade": "Upgrade",
	"te": "Te", "trailer": "Trailer", "host": "Host", "expect": "Expect", "content-type": "Content-Type", "content-encoding": "Content-Encoding",
	"origin": "Origin", "referer": "Referer",
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
	if own, ok := folding[string(folded)]; ok && own != name {
		return true
	}
	for _, p := range droppedPrefixes {
		if len(folded) >= len(p) && string(folded[:len(p)]) == p {
			return true
		}
	}
	return false
}
