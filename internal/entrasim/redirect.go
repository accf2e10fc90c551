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
	return registered(slices.Concat(a.RedirectURIs, a.NativeURIs), uri)
}

// native reports whether uri leads to a program on somebody's machine, which has no credential of the app's.
func (a App) native(uri string) bool { return registered(a.NativeURIs, uri) }

func registered(all []string, uri string) bool {
	if slices.Contains(all, uri) {
		return true
	}
	asked, ok := ofThisMachine(uri)
	return ok && slices.ContainsFunc(all, func(one string) bool {
		known, ok := ofThisMachine(one)
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
