package httpproxy

import (
	"errors"
	"io"
	"net/http"
	"strings"
)

// answer passes the app's answer back.
func (x *exchange) answer(resp *http.Response) error {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return x.switched(resp)
	}
	defer x.drain(resp.ContentLength)
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 999 {
		return x.lied("its status is none")
	}
	if reason := x.lease.Reason(); !reason.IsZero() {
		return reason // before anything is out there is room for words
	}
	h := x.w.Header()
	x.answerHeaders(h, resp.Header)
	streams := resp.ContentLength < 0 && x.in.Method != http.MethodHead
	var from io.Reader = resp.Body
	if mediaType(resp.Header) == "text/event-stream" {
		from, streams = &events{from: resp.Body, reason: x.lease.Reason}, true
	}
	for name := range resp.Trailer {
		if trailing(name) {
			h.Add("Trailer", name)
		}
	}
	x.begin()
	x.w.WriteHeader(resp.StatusCode)
	flush := http.NewResponseController(x.w)
	if streams { // the app may have said how it answers long before what
		_ = flush.Flush() // a client that is gone is noticed at the next write
	}
	if err := x.copy(flush, from); err != nil {
		return x.farewell.Abort(x.lease)
	}
	resp.Body.Close() // fills in the trailers
	if len(resp.Trailer) > 0 {
		_ = flush.Flush() // so that the answer is of a kind that has trailers
		for name, values := range resp.Trailer {
			switch {
			case !trailing(name):
			case len(h["Trailer"]) > 0 && has(h["Trailer"], name):
				h[name] = values
			default:
				h[http.TrailerPrefix+name] = values
			}
		}
	}
	return nil
}

// copy passes the answer's body on. What has come is not held back where more is to come, which may take its time.
func (x *exchange) copy(flush *http.ResponseController, from io.Reader) error {
	buf := x.buffers.get()
	defer x.buffers.put(buf)
	for {
		n, err := from.Read(buf[:])
		if n > 0 {
			x.watch.moved()
			if _, err := x.w.Write(buf[:n]); err != nil {
				return err
			}
			x.watch.moved()
			x.lease.Count(int64(n))
			if err == nil {
				if err := flush.Flush(); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// answerHeaders are what is passed on of the headers that the app answered with.
func (x *exchange) answerHeaders(to, from http.Header) {
	drop := private
	if x.door.site() {
		drop = foreignHere
	}
	listed := from["Connection"]
	for name, values := range from {
		if hopByHop(name) || ours(name) || drop(name) || len(listed) > 0 && has(listed, name) {
			continue
		}
		to[name] = values
	}
	if there := from["Location"]; len(there) > 0 {
		to["Location"] = []string{x.location(there[0])}
	}
	if cookies := from["Set-Cookie"]; len(cookies) > 0 && x.door.site() {
		x.setCookies(to, cookies)
	}
}

// ours reports whether an answer's header says what Lanyard alone says to programs that speak to it: its own names, and the
// nonce for proofs that are made for it (RFC 9449 section 9).
func ours(name string) bool { return name == "Dpop-Nonce" || strings.HasPrefix(name, "Lanyard-") }

// private reports whether an answer's header is dropped on the machine site: what sets something for the whole host,
// which is that of Lanyard's own pages, and what Lanyard itself sets.
func private(name string) bool {
	switch name {
	case "Set-Cookie", "Clear-Site-Data", "Strict-Transport-Security", "Public-Key-Pins", "Alt-Svc", "Service-Worker-Allowed",
		"Nel", "Report-To", "Reporting-Endpoints", "Content-Security-Policy", "X-Content-Type-Options", "Origin-Agent-Cluster":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

// foreignHere reports whether an answer's header is dropped on the app's own site: what would lead browsers past
// Lanyard, what would let other sites in, and what is passed on in another form.
func foreignHere(name string) bool {
	switch name {
	case "Set-Cookie", "Strict-Transport-Security", "Public-Key-Pins", "Alt-Svc":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

// trailing reports whether a header of an answer may come after its body.
func trailing(name string) bool {
	return !hopByHop(name) && !framing(name) && !ours(name) && !private(name)
}

// setCookies lets an app set cookies of its own for its own host and for no other.
func (x *exchange) setCookies(to http.Header, cookies []string) {
	base := strings.TrimSuffix(x.app.URL.EscapedPath(), "/")
	for _, cookie := range cookies {
		pair, attributes, _ := strings.Cut(cookie, ";")
		if name, _, _ := strings.Cut(pair, "="); ownCookie(name) {
			continue
		}
		kept := pair
		for attribute := range strings.SplitSeq(attributes, ";") {
			name, value, _ := strings.Cut(attribute, "=")
			switch name = strings.TrimSpace(name); {
			case name == "" || strings.EqualFold(name, "domain"):
				continue
			case strings.EqualFold(name, "path") && base != "":
				if rest, ok := strings.CutPrefix(strings.TrimSpace(value), base); ok && (rest == "" || rest[0] == '/') {
					attribute = "Path=/" + strings.TrimPrefix(rest, "/")
				}
			}
			kept += "; " + strings.TrimSpace(attribute)
		}
		to.Add("Set-Cookie", kept)
	}
}

// mediaType is the kind of an answer, without parameters, in lower case.
func mediaType(h http.Header) string {
	values := h["Content-Type"]
	if len(values) == 0 {
		return ""
	}
	kind, _, _ := strings.Cut(values[0], ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
