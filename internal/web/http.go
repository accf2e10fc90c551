package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// ClientIP is the address of the peer; empty where it has none, as on a Unix socket. Forwarded headers are not
// believed: no proxy is trusted by default.
func ClientIP(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return peer.Addr().Unmap().String()
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, err = w.Write(append(b, '\n'))
	return err
}

// maxBody bounds the JSON that a handler reads.
const maxBody = 1 << 20

// ReadJSON reads the body into v. An unknown field, anything after the value, and a body over 1 MiB are errors.
func ReadJSON(r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return problem.New(problem.TooLarge, "The request's body is over %d bytes.", maxBody)
		}
		return problem.New(problem.Invalid, "The request's body is not the JSON that is expected here: %v.", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return problem.New(problem.Invalid, "There is something after the JSON in the request's body.")
	}
	return nil
}

// Origin is scheme and host of a base URL, as browsers send it.
func Origin(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// GuardOrigin refuses unsafe methods and upgrades that do not come from the site's own pages. A missing Origin is
// foreign too: every browser sends one with them.
func GuardOrigin(r *http.Request, origin string) error {
	if !unsafeMethod(r.Method) && !upgrade(r) {
		return nil
	}
	values := r.Header.Values("Origin")
	if len(values) == 1 && values[0] == origin {
		return nil
	}
	return problem.New(problem.Denied, "This request did not come from Lanyard's own pages, so it was refused.")
}

func upgrade(r *http.Request) bool {
	for _, v := range r.Header.Values("Connection") {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), "upgrade") {
				return true
			}
		}
	}
	return r.Header.Get("Upgrade") != ""
}

// LocalPath checks where to go after a sign-in: a path on this site. Anything that a browser could read as another
// site is refused: `//host`, `/\host`, control characters.
func LocalPath(s string) (string, error) {
	bad := problem.New(problem.Invalid, "The address to return to is not a path of this site.")
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || len(s) > 2048 {
		return "", bad
	}
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c == 0x7f || c == '\\' || c == '#' {
			return "", bad
		}
	}
	u, err := url.Parse(s)
	// What has to be spelt anew could come to mean something else: `/%2fevil.example.test/"` would become `//evil.example.test/%22`.
	if err != nil || u.Host != "" || u.Scheme != "" || u.RequestURI() != s {
		return "", bad
	}
	return s, nil
}

// SetCookie sets a cookie of Lanyard's own kind: for this host alone, not for scripts. Life in seconds; 0 is for as
// long as the browser runs, negative removes it.
func SetCookie(w http.ResponseWriter, name, value string, seconds int) {
	setCookie(w, name, value, seconds, http.SameSiteLaxMode)
}

// SetCookieForAnswers sets one that the browser also sends with a form that another site's page posts here. Nothing may
// be allowed for it alone.
func SetCookieForAnswers(w http.ResponseWriter, name, value string, seconds int) {
	setCookie(w, name, value, seconds, http.SameSiteNoneMode)
}

func setCookie(w http.ResponseWriter, name, value string, seconds int, sameSite http.SameSite) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: seconds, Secure: true, HttpOnly: true, SameSite: sameSite,
	})
}
