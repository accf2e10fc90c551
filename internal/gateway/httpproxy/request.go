package httpproxy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

// AssertionHeader carries the assertion.
const AssertionHeader = "Lanyard-Assertion"

// headers are what the app gets of the headers that came, and what Lanyard adds.
func (x *exchange) headers() http.Header {
	in := x.in.Header
	out := make(http.Header, len(in)+4)
	listed := in["Connection"]
	for name, values := range in {
		if ordinary(name) || !(hopByHop(name) || foreign(name)) {
			out[name] = values
		}
	}
	for _, value := range listed {
		for name := range strings.SplitSeq(value, ",") {
			delete(out, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	if _, said := out["User-Agent"]; !said {
		out["User-Agent"] = nil // or the transport would speak of itself
	}
	if has(in["Te"], "trailers") {
		out["Te"] = []string{"trailers"}
	}
	if x.upgrade {
		out["Connection"], out["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	if x.door.site() {
		x.fromBrowser(out)
	}
	x.traced(out)
	return out
}

// fromBrowser is what an app on a site of its own gets besides: its own cookies, and where it is seen from.
func (x *exchange) fromBrowser(out http.Header) {
	if cookies := othersCookies(x.in.Header["Cookie"]); cookies != "" {
		out["Cookie"] = []string{cookies}
	}
	scheme, host, _ := strings.Cut(x.door.origin, "://")
	out["X-Forwarded-Proto"], out["X-Forwarded-Host"] = []string{scheme}, []string{host}
	if ip := web.ClientIP(x.in); ip != "" {
		out["X-Forwarded-For"] = []string{ip}
	}
	// The app is asked by its own name, and compares the page that a request comes from with that.
	own := x.app.URL.Scheme + "://" + x.app.URL.Host
	if origin := out["Origin"]; len(origin) == 1 && origin[0] == x.door.origin {
		out["Origin"] = []string{own}
	}
	if from := out["Referer"]; len(from) == 1 {
		if rest, ok := strings.CutPrefix(from[0], x.door.origin+"/"); ok {
			out["Referer"] = []string{own + strings.TrimSuffix(x.app.URL.EscapedPath(), "/") + "/" + rest}
		}
	}
}

// othersCookies are the cookies that are not Lanyard's own.
func othersCookies(values []string) string {
	var kept []string
	for _, value := range values {
		for pair := range strings.SplitSeq(value, ";") {
			pair = strings.TrimSpace(pair)
			if name, _, _ := strings.Cut(pair, "="); pair != "" && !ownCookie(name) {
				kept = append(kept, pair)
			}
		}
	}
	return strings.Join(kept, "; ")
}

// ownCookie reports whether a cookie is one of Lanyard's. Browsers compare the beginning without case.
func ownCookie(name string) bool {
	name = strings.TrimSpace(name)
	return len(name) >= len(session.CookieName) && strings.EqualFold(name[:len(session.CookieName)], session.CookieName)
}

// trailers announces the request's trailers to the app. Nothing is judged after the body, so none may be of a kind that
// tells who is calling.
func (x *exchange) trailers(out *http.Request) {
	for name := range x.in.Trailer {
		if hopByHop(name) || foreign(name) || framing(name) {
			continue
		}
		if out.Trailer == nil {
			out.Trailer = http.Header{}
		}
		out.Trailer[name] = nil
	}
	x.body.trailers = out.Trailer
}

// wantsWebSocket reports whether a request is the handshake of a WebSocket (RFC 6455 section 4.1). Other upgrades are
// not for a gateway to agree to; a request that offers one is answered as if it had not.
func wantsWebSocket(r *http.Request) bool {
	upgrade := r.Header["Upgrade"]
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket") &&
		has(r.Header["Connection"], "upgrade")
}

// has reports whether a header that is a list holds a word.
func has(values []string, word string) bool {
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(one), word) {
				return true
			}
		}
	}
	return false
}

// location keeps a redirect to the app itself behind the gateway.
func (x *exchange) location(to string) string {
	u, err := url.Parse(to)
	if err != nil {
		return to
	}
	if u.Host != "" && (u.Host != x.app.URL.Host || (u.Scheme != "" && u.Scheme != x.app.URL.Scheme)) {
		return to
	}
	if u.Host == "" && !strings.HasPrefix(u.Path, "/") {
		return to // relative to the request's own path, which has the same end
	}
	rest, ok := strings.CutPrefix(u.EscapedPath(), strings.TrimSuffix(x.app.URL.EscapedPath(), "/"))
	if !ok || (rest != "" && rest[0] != '/') || strings.HasPrefix(rest, "//") {
		return to
	}
	here := x.door.prefix + rest
	if rest == "" {
		here += "/"
	}
	if u.RawQuery != "" {
		here += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		here += "#" + u.EscapedFragment()
	}
	return here
}
