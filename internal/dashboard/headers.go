package dashboard

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
)

// Headers are on every answer of the sites that the pages are on; a page's own policy takes the place of this one,
// which lets nothing run or load.
func Headers(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: browsers then say "Origin: null" with the forms of our own pages.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// policy is what a page may do beyond loading scripts, styles and pictures of its own site.
type policy struct {
	style   string // another source of styles
	connect string // where it may send requests
	form    string // where its forms may lead beyond this site
}

// String is the policy as Content-Security-Policy says it. Neither inline scripts nor inline styles are in it.
func (p policy) String() string {
	parts := []string{
		"default-src 'none'", "script-src 'self'", "style-src " + joined("'self'", p.style), "img-src 'self' data:",
		"form-action " + joined("'self'", p.form), "base-uri 'none'", "frame-ancestors 'none'",
	}
	if p.connect != "" {
		parts = append(parts, "connect-src "+p.connect)
	}
	return strings.Join(parts, "; ")
}

func joined(sources ...string) string { return strings.TrimSpace(strings.Join(sources, " ")) }

// render answers with a page. It is made whole before the first byte goes out.
func (d *Dashboard) render(w http.ResponseWriter, status int, name string, data any, p policy) {
	var page bytes.Buffer
	if err := d.pages.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	Headers(h)
	h.Set("Content-Security-Policy", p.String())
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Length")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the browser has gone if this fails
}

func newNonce() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(b[:])
}
