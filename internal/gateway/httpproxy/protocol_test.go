package httpproxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
)

// behind is a scene with the one app "app", which is this server. options are lines of the project file.
func behind(t testing.TB, app *httptest.Server, options string) *scene {
	t.Helper()
	s := newSceneOf(t, "resources:\n  - app: app\n    url: "+app.URL+"\n"+options)
	c := s.proxy.c
	roots := x509.NewCertPool()
	if app.Certificate() != nil {
		roots.AddCert(app.Certificate())
	}
	c.Upstream = upstream.New(upstream.Config{Log: s.Log, Roots: roots})
	t.Cleanup(c.Upstream.Close)
	s.proxy = New(c)
	return s
}

// answering is an app on a loopback port.
func answering(t testing.TB, h http.HandlerFunc, protocols ...func(*http.Protocols, bool)) *httptest.Server {
	t.Helper()
	app := httptest.NewUnstartedServer(h)
	app.Config.Protocols = new(http.Protocols)
	app.Config.Protocols.SetHTTP1(len(protocols) == 0)
	for _, p := range protocols {
		p(app.Config.Protocols, true)
	}
	app.Config.ErrorLog = nil
	t.Cleanup(func() { app.CloseClientConnections(); app.Close() })
	return app
}

func client(t testing.TB, protocols ...func(*http.Protocols, bool)) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols), ExpectContinueTimeout: 30 * time.Second, DisableCompression: true}
	transport.Protocols.SetHTTP1(len(protocols) == 0)
	for _, p := range protocols {
		p(transport.Protocols, true)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

var unencrypted2 = (*http.Protocols).SetUnencryptedHTTP2

// TestProtocols: HTTP/1.1 and HTTP/2, by ALPN and with prior knowledge, on either side; large bodies and trailers both ways.
func TestProtocols(t *testing.T) {
	const size = 4 << 20
	part := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	serve := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("X-Proto", r.Proto)
		sum := sha256.New()
		if _, err := io.Copy(sum, r.Body); err != nil {
			return
		}
		w.Header().Set("X-Asked-Trailer", r.Trailer.Get("X-Mine")+r.Trailer.Get("X-Forwarded-User"))
		for range size / len(part) {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
		w.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
		w.Header().Set(http.TrailerPrefix+"X-Late", "unannounced")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "a=b")
	}
	plain := answering(t, serve)
	plain.Start()
	prior := answering(t, serve, unencrypted2)
	prior.Start()
	agreed := answering(t, serve, (*http.Protocols).SetHTTP1, (*http.Protocols).SetHTTP2)
	agreed.EnableHTTP2 = true
	agreed.StartTLS()
	for _, c := range []struct {
		name, options, proto string
		app                  *httptest.Server
	}{
		{"HTTP/1.1", "", "HTTP/1.1", plain}, {"prior knowledge", "    http2: true\n", "HTTP/2.0", prior},
		{"ALPN", "", "HTTP/2.0", agreed}, {"TLS without HTTP/2", "    http2: false\n", "HTTP/1.1", agreed},
	} {
		s := behind(t, c.app, c.options)
		server := s.serve(t, gatewaytest.Ada)
		for name, browser := range map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": client(t, unencrypted2)} {
			t.Run(name+" to "+c.name, func(t *testing.T) {
				body := io.MultiReader(slices.Collect(func(yield func(io.Reader) bool) {
					for range size / len(part) {
						if !yield(bytes.NewReader(part)) {
							return
						}
					}
				})...)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/r/app/x", io.NopCloser(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Trailer = http.Header{"X-Mine": {"asked"}, "X-Forwarded-User": {"forged"}}
				resp, err := browser.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				got := sha256.New()
				n, err := io.Copy(got, resp.Body)
				if err != nil || n != size {
					t.Fatalf("%d bytes: %v", n, err)
				}
				if resp.Header.Get("X-Proto") != c.proto || resp.Trailer.Get("X-Sum") != fmt.Sprintf("%x", got.Sum(nil)) || resp.Trailer.Get("X-Late") != "unannounced" {
					t.Errorf("by %s with %v", resp.Header.Get("X-Proto"), resp.Trailer)
				}
				if resp.Trailer.Get("Set-Cookie") != "" || resp.Header.Get("X-Asked-Trailer") != "asked" {
					t.Errorf("trailers %v; the app was told %q", resp.Trailer, resp.Header.Get("X-Asked-Trailer"))
				}
			})
		}
	}
}

// TestExpectContinue: who asks before sending a large body is answered by the app, not by the gateway.
func TestExpectContinue(t *testing.T) {
	app := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			http.Error(w, "no", http.StatusExpectationFailed)
			return
		}
		io.Copy(w, r.Body)
	})
	app.Start()
	server := behind(t, app, "").serve(t, gatewaytest.Ada)
	for path, want := range map[string]bool{"/no": false, "/yes": true} {
		told := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { told = true }})
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/r/app"+path, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		resp, err := client(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if told != want || want != (string(body) == "body") || want != (resp.StatusCode == http.StatusOK) {
			t.Errorf("%s: %s, told to go on: %v, %q", path, resp.Status, told, body)
		}
	}
}

// TestEarlyHints: a browser is given an app's early hints, and nothing else that the app said with them.
func TestEarlyHints(t *testing.T) {
	app := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		w.Header().Del("Set-Cookie")
		io.WriteString(w, "ok")
	})
	app.Start()
	for name, browser := range map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": client(t, unencrypted2)} {
		var hints []textproto.MIMEHeader
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			hints = append(hints, h)
			return nil
		}})
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, behind(t, app, "").serve(t, gatewaytest.Ada).URL+"/r/app/", nil)
		resp, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(hints) != 1 || hints[0].Get("Link") == "" || hints[0].Get("Set-Cookie") != "" || resp.Header.Get("Content-Security-Policy") != "sandbox" {
			t.Errorf("%s: hints %v, then %v", name, hints, resp.Header)
		}
	}
}

// TestHeadAndUnmodified: answers without a body keep what they say of one.
func TestHeadAndUnmodified(t *testing.T) {
	app := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/same" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Length", "12345")
	})
	app.Start()
	server := behind(t, app, "").serve(t, gatewaytest.Ada)
	for _, browser := range []*http.Client{client(t), client(t, unencrypted2)} {
		resp, err := browser.Head(server.URL + "/r/app/x")
		if err != nil || resp.ContentLength != 12345 {
			t.Errorf("HEAD: %+v %v", resp, err)
		}
		if resp, err = browser.Get(server.URL + "/r/app/same"); err != nil || resp.StatusCode != http.StatusNotModified {
			t.Errorf("%+v %v", resp, err)
		}
	}
}

// TestOtherUpgradesAreNotAgreedTo: what a gateway cannot judge afterwards it does not switch to.
func TestOtherUpgradesAreNotAgreedTo(t *testing.T) {
	app := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/switch" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: anything\r\n\r\nhello")
			return
		}
		fmt.Fprint(w, r.Header.Get("Upgrade"), r.Header.Get("Connection"), r.Header.Get("Http2-Settings"))
	})
	app.Start()
	server := behind(t, app, "").serve(t, gatewaytest.Ada)
	const upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
	if resp, body := plainRequest(t, server, "GET /r/app/x HTTP/1.1\r\nHost: lanyard.example.test\r\n"+upgrade+"\r\n"); resp.StatusCode != http.StatusOK || body != "" {
		t.Errorf("%s %q", resp.Status, body)
	}
	for _, upgrade := range []string{"", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"} {
		if resp, body := plainRequest(t, server, "GET /r/app/switch HTTP/1.1\r\nHost: lanyard.example.test\r\n"+upgrade+"\r\n"); resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "nobody asked for") {
			t.Errorf("%q: %s %q", upgrade, resp.Status, body)
		}
	}
	for _, method := range []string{"CONNECT", "TRACE"} {
		if resp, _ := plainRequest(t, server, method+" /r/app/x HTTP/1.1\r\nHost: lanyard.example.test\r\nConnection: close\r\n\r\n"); resp.StatusCode != http.StatusMethodNotAllowed && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", method, resp.Status)
		}
	}
}

// TestRequestsThatCanBeReadInTwoWays: what says twice where it ends is refused, or goes on with one reading.
func TestRequestsThatCanBeReadInTwoWays(t *testing.T) {
	var asked []string
	app := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, fmt.Sprintf("%s %s %v %q", r.Method, r.URL.Path, r.TransferEncoding, body))
		for name := range r.Header {
			if strings.ContainsAny(name, "_ ") {
				t.Errorf("the app got %q", name)
			}
		}
	})
	app.Start()
	server := behind(t, app, "").serve(t, gatewaytest.Ada)
	send := func(text string) int {
		resp, _ := plainRequest(t, server, "POST /r/app/x HTTP/1.1\r\nHost: lanyard.example.test\r\nConnection: close\r\n"+text)
		return resp.StatusCode
	}
	for _, text := range []string{
		"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", "Content-Length: 4, 5\r\n\r\nabcd", "Content-Length: +4\r\n\r\nabcd", "Content-Length: 0x4\r\n\r\nabcd",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"Content-Length : 4\r\n\r\nabcd", "X: a\r\n Content-Length: 4\r\nBad Name: x\r\n\r\nabcd", "Host: other.example\r\nContent-Length: 0\r\n\r\n",
	} {
		if status := send(text); status < 400 {
			t.Errorf("%q: %d", text, status)
		}
	}
	if len(asked) != 0 {
		t.Fatalf("the app was asked %q", asked)
	}
	// With both, the body is what its chunks say (RFC 9112 section 6.3), and goes on so; what follows is nobody's request.
	send("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET /r/app/smuggled HTTP/1.1\r\n\r\n")
	send("content_length: 40\r\nTransfer_Encoding: chunked\r\nContent-Length: 2\r\n\r\nhi")
	if want := []string{`POST /x [chunked] "hi"`, `POST /x [] "hi"`}; !slices.Equal(asked, want) {
		t.Errorf("the app was asked %q", asked)
	}
}

// TestOnlyWhatIsSafeIsAskedAgain: a request is sent again where its connection had died before and nothing of an answer
// came, and never where it may have had an effect.
func TestOnlyWhatIsSafeIsAskedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 16)
	go func() { // answers the first request of each connection and dies at the second
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for n := 0; n < 2; n++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					body, _ := io.ReadAll(r.Body)
					asked <- r.Method + string(body)
					if n == 0 {
						io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				}
			}()
		}
	}()
	app := &httptest.Server{URL: "http://" + l.Addr().String()}
	for _, c := range []struct {
		method, body string
		status       int
		asked        []string
	}{
		{"GET", "", 200, []string{"GET", "GET", "GET"}}, {"OPTIONS", "", 200, []string{"GET", "OPTIONS", "OPTIONS"}},
		{"POST", "", 502, []string{"GET", "POST"}}, {"PUT", "x", 502, []string{"GET", "PUTx"}}, {"DELETE", "", 502, []string{"GET", "DELETE"}},
	} {
		browser, server := client(t), behind(t, app, "").serve(t, gatewaytest.Ada)
		if resp, err := browser.Get(server.URL + "/r/app/first"); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v %v", resp, err)
		} else {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		r, _ := http.NewRequestWithContext(ctx, c.method, server.URL+"/r/app/second", strings.NewReader(c.body))
		if c.body == "" {
			r.Body, r.ContentLength = nil, 0
		}
		resp, err := browser.Do(r)
		if err != nil || resp.StatusCode != c.status {
			t.Errorf("%s: %v %v", c.method, resp, err)
		} else {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		cancel()
		s := drained(asked)
		if !slices.Equal(s, c.asked) {
			t.Errorf("%s: the app was asked %q", c.method, s)
		}
	}
}

func drained(c chan string) (list []string) {
	for {
		select {
		case s := <-c:
			list = append(list, s)
		case <-time.After(100 * time.Millisecond):
			return list
		}
	}
}

// TestCutOfOneStream: with HTTP/2 a cut ends its own stream, with the reason, and not what else is on the connection.
func TestCutOfOneStream(t *testing.T) {
	s := newScene(t)
	server, browser := s.serve(t, gatewaytest.Ada), client(t, unencrypted2)
	open := func() (*http.Response, *bufio.Reader, *access.Lease) {
		known := map[*access.Lease]bool{}
		for _, l := range s.Engine.LeasesOf(gatewaytest.User(gatewaytest.Ada)) {
			known[l] = true
		}
		resp, err := browser.Get(server.URL + "/r/ledger/watch")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		for _, l := range s.Engine.LeasesOf(gatewaytest.User(gatewaytest.Ada)) {
			if !known[l] {
				return resp, bufio.NewReader(resp.Body), l
			}
		}
		t.Fatal("there is no lease")
		return nil, nil, nil
	}
	_, first, lease := open()
	_, second, _ := open()
	s.Engine.Revoke(lease.ID, access.Reason{Code: access.Revoked, Text: "an administrator ended it"})
	rest, err := io.ReadAll(first)
	if err == nil || !strings.HasSuffix(string(rest), "event: lanyard-closed\ndata: an administrator ended it\n\n") {
		t.Errorf("the one ended with %v after %q", err, rest[max(0, len(rest)-200):])
	}
	for range 8 {
		if _, err := second.ReadString('\n'); err != nil {
			t.Fatalf("the other: %v", err)
		}
	}
}
