package registry

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/project"
)

// asked are the headers of a request that a registry gets. What tells who is calling is never among them.
var asked = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Encoding", "Content-Range", "Content-Type", "Disable-Module-Fetch",
	"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Pragma", "Range", "User-Agent",
}

func (x *exchange) headers() http.Header {
	out := http.Header{"User-Agent": nil} // or the transport would speak of itself
	for _, name := range asked {
		if values, ok := x.in.Header[name]; ok {
			out[name] = values
		}
	}
	for name, values := range x.in.Header {
		if strings.HasPrefix(name, "Npm-") && name != "Npm-Otp" || strings.HasPrefix(name, "Docker-") {
			out[name] = values
		}
	}
	if x.leads() {
		delete(out, "Accept-Encoding") // the answer is read
	}
	return out
}

// leads reports whether answers of the registry hold addresses of its own.
func (x *exchange) leads() bool {
	return x.registry.Kind == project.NPM || x.registry.Kind == project.PyPI
}

// dropped are the headers of an answer that are not passed on: those of the connection, those that set something for the
// whole host, and those that Lanyard sets.
var dropped = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"Proxy-Authenticate": true, "Www-Authenticate": true, "Set-Cookie": true, "Clear-Site-Data": true, "Strict-Transport-Security": true,
	"Public-Key-Pins": true, "Alt-Svc": true, "Service-Worker-Allowed": true, "Nel": true, "Report-To": true, "Reporting-Endpoints": true,
	"Content-Security-Policy": true, "X-Content-Type-Options": true, "Dpop-Nonce": true,
}

// answer passes an answer on. An error is one in the middle of it.
func (x *exchange) answer(resp *http.Response) error {
	h := x.w.Header()
	for name, values := range resp.Header {
		if dropped[name] || strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "Lanyard-") || strings.HasPrefix(name, "X-Powered-By") {
			continue
		}
		h[name] = values
	}
	there, here := x.there(), x.here()
	if to := resp.Header.Get("Location"); to != "" {
		h["Location"] = []string{led(to, there, here)}
	}
	var body io.Reader = resp.Body
	if x.leads() && rewritten(resp) {
		for _, name := range []string{"Content-Length", "Etag", "Last-Modified", "Content-Md5", "Digest", "Content-Digest", "Accept-Ranges"} {
			h.Del(name) // of other bytes than those that go out
		}
		body = newReplacer(resp.Body, `"`+there+"/", `"`+here+"/")
	} else if resp.ContentLength >= 0 {
		h.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	x.w.WriteHeader(resp.StatusCode)
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, err := x.w.Write(buf[:n]); err != nil {
				return err
			}
			x.lease.Count(int64(n))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// rewritten reports whether an answer is an index, whole and readable.
func rewritten(resp *http.Response) bool {
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "" {
		return false
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "application/json" || kind == "text/html" || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+html")
}

// there is the registry's own address, without a slash at its end.
func (x *exchange) there() string { return strings.TrimSuffix(x.registry.URL.String(), "/") }

var localHost = regexp.MustCompile(`^([a-z0-9.-]+|\[::1\])(:[0-9]{1,5})?$`)

// here is where who asks reaches the registry: a workspace by its agent's address, which it says as Host.
func (x *exchange) here() string {
	name, host := x.registry.Name, x.in.Host
	switch {
	case x.who.Workspace == "" || !localHost.MatchString(host):
		return x.c.URL + gateway.AppPrefix + name
	case strings.HasPrefix(host, name+".localhost"):
		return "http://" + host
	}
	return "http://" + host + gateway.AppPrefix + name
}

// led keeps a redirect to the registry itself behind the gateway.
func led(to, there, here string) string {
	if rest, ok := strings.CutPrefix(to, there); ok && (rest == "" || rest[0] == '/' || rest[0] == '?') {
		return here + rest
	}
	return to
}

// replacer replaces a text in what it reads.
type replacer struct {
	from     io.Reader
	old, new []byte
	in, out  []byte // read and not looked at; to be given out
	err      error
}

func newReplacer(from io.Reader, old, new string) *replacer {
	return &replacer{from: from, old: []byte(old), new: []byte(new)}
}

// Read implements io.Reader.
func (r *replacer) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		chunk := make([]byte, 32<<10)
		n, err := r.from.Read(chunk)
		r.in, r.err = append(r.in, chunk[:n]...), err
		for {
			i := bytes.Index(r.in, r.old)
			if i < 0 {
				break
			}
			r.out = append(append(r.out, r.in[:i]...), r.new...)
			r.in = r.in[i+len(r.old):]
		}
		keep := len(r.old) - 1 // may be the beginning of one
		if r.err != nil {
			keep = 0
		}
		if n := len(r.in) - keep; n > 0 {
			r.out = append(r.out, r.in[:n]...)
			r.in = append([]byte(nil), r.in[n:]...)
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}
