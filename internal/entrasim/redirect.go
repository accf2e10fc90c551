package entrasim

import (
	"net/url"
	"slices"
	"strings"
)

// returnsTo reports whether an app is answered at uri: at one of its redirect URIs to the letter or, where that is of
// this machine over http, at any port of it (RFC 8252, section 7.3).
//
// https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions
func (a App) returnsTo(uri string) bool {
	all := slices.Concat(a.RedirectURIs, a.NativeURIs)
	if slices.Contains(all, uri) {
		return true
	}
	asked, ok := ofThisMachine(uri)
	return ok && slices.ContainsFunc(all, func(registered string) bool {
		known, ok := ofThisMachine(registered)
		return ok && known == asked
	})
}

// ofThisMachine is a redirect URI of http://localhost or http://127.0.0.1 without its port.
func ofThisMachine(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return "", false
	}
	if host := u.Hostname(); host != "localhost" && host != "127.0.0.1" {
		return "", false
	}
	u.Host = u.Hostname()
	return strings.TrimSuffix(u.String(), "/"), true
}
