package gitproxy

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// plainScene is a gateway before an upstream that a test plays itself, packet by packet.
func plainScene(t testing.TB, upstreamHandler http.HandlerFunc) (*gatewaytest.World, *httptest.Server) {
	t.Helper()
	s := &scene{World: gatewaytest.New(t, "repositories:\n  - url: https://git.example.test/payments/api\n")}
	behind := httptest.NewServer(upstreamHandler)
	t.Cleanup(func() { behind.CloseClientConnections(); behind.Close() })
	up := upstream.New(upstream.Config{
		Names: map[string]upstream.Address{"git.example.test": upstream.Address(behind.Listener.Addr().String())}, Log: s.Log,
	})
	t.Cleanup(up.Close)
	s.handler = New(Config{Access: s.Engine, Facts: s.Engine.Facts, Upstream: up, Log: s.Log})
	return s.World, s.Serve(t, s.Workspace(gatewaytest.Ada), s.routes()...)
}

const repository = "/git/git.example.test/payments/api"

func post(t testing.TB, server *httptest.Server, s service, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, server.URL+repository+"/"+string(s), body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", s.requestType())
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// TestAnswerThatBeginsBeforeTheRequestEnds is the case that cut clones short: the upstream answers while the request
// is still open, and the end of the request comes when the answer has long begun (prepare says what happens then).
func TestAnswerThatBeginsBeforeTheRequestEnds(t *testing.T) {
	const packets = 200
	part := pkt("\x01" + strings.Repeat("x", 30_000))
	begun := make(chan struct{}, 1)
	_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
		if http.NewResponseController(w).EnableFullDuplex() != nil {
			return
		}
		if _, err := io.ReadFull(r.Body, make([]byte, 4)); err != nil {
			return
		}
		w.Header().Set("Content-Type", uploadPack.answerType())
		for i := range packets {
			io.WriteString(w, part)
			if i == 1 {
				http.NewResponseController(w).Flush()
				begun <- struct{}{}
			}
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, flushPacket)
	})
	for range 20 {
		read, write := io.Pipe()
		go func() { // the end of the request comes in parts
			io.WriteString(write, "0009")
			<-begun
			for _, c := range "done\n" + flushPacket {
				io.WriteString(write, string(c))
			}
			write.Close()
		}()
		resp := post(t, server, uploadPack, read)
		n, err := io.Copy(io.Discard, resp.Body)
		if want := int64(packets*len(part) + 4); n != want || err != nil {
			t.Fatalf("%d of %d bytes: %v", n, want, err)
		}
	}
}

// TestLastWordsFitTheProtocol cuts an answer at each point of it, and reads what comes last.
func TestLastWordsFitTheProtocol(t *testing.T) {
	band := pkt("\x02Counting objects\n", "\x01PACKdata")
	for _, c := range []struct {
		name    string
		request service
		answer  string // up to the cut, with the beginning of another packet
		words   string // before the reason
	}{
		{"acknowledgements, v0", uploadPack, pkt("NAK\n"), "ERR Lanyard closed this: "},
		{"refs, v2", uploadPack, pkt(idA + " HEAD\n"), "ERR Lanyard closed this: "},
		{"before the pack, v2", uploadPack, pkt("acknowledgments\n", "ready\n") + "0001", "ERR Lanyard closed this: "},
		{"announced pack, v2", uploadPack, pkt("packfile\n"), "\x03Lanyard closed this: "},
		{"side band, v0", uploadPack, pkt("NAK\n") + band, "\x03Lanyard closed this: "},
		{"side band, v2", uploadPack, pkt("packfile\n") + band, "\x03Lanyard closed this: "},
		{"pack without side band", uploadPack, pkt("NAK\n") + "PACK\x00\x00\x00\x02", ""},
		{"report of a push", receivePack, pkt("\x01" + pkt("unpack ok\n")), "\x03Lanyard closed this: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			world, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", c.request.answerType())
				io.WriteString(w, c.answer+"0fff\x01half a packet")
				http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
			resp := post(t, server, c.request, strings.NewReader(flushPacket))
			got := make([]byte, len(c.answer))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != c.answer {
				t.Fatalf("%q, %v", got, err)
			}
			if n := world.Leave(); n != 1 {
				t.Fatalf("%d leases were cut", n)
			}
			last, err := io.ReadAll(resp.Body)
			if err == nil {
				t.Error("the answer ended as if it were whole")
			}
			if c.words == "" {
				if strings.Contains(string(last), "Lanyard") {
					t.Errorf("words in a pack: %q", last)
				}
				return
			}
			packet, err := newPackets(bytes.NewReader(last), make([]byte, maxPacket)).next()
			if err != nil || len(packet) != len(last) || !strings.HasPrefix(string(packet[packetHead:]), c.words) || !strings.Contains(string(packet), "payments-engineers") {
				t.Errorf("the last words are %q", last)
			}
		})
	}
}

func TestUpstreamThatBreaksOffIsNotWhole(t *testing.T) {
	_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", uploadPack.answerType())
		io.WriteString(w, pkt("packfile\n", "\x01PACK")+"00")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	body, err := io.ReadAll(post(t, server, uploadPack, strings.NewReader(flushPacket)).Body)
	if err == nil || !strings.Contains(string(body), "\x03Lanyard: the upstream's answer broke off.") {
		t.Errorf("%q, %v", body, err)
	}
}

func TestWhatUpstreamsAnswerInstead(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header string
		want   string
	}{
		"forbidden":  {403, "text/plain", "403 Lanyard allows this, but git.example.test itself refuses it: no\n"},
		"missing":    {404, "text/plain", "404 Lanyard knows git.example.test/payments/api, but git.example.test does not have it, or hides it from you.\n"},
		"broken":     {500, "text/plain", "502 git.example.test answers 500 Internal Server Error: no\n"},
		"login page": {200, "text/html", "502 git.example.test does not answer as a Git server with the smart HTTP protocol.\n"},
		"moved":      {301, "text/plain", "502 git.example.test says that the repository has moved; an administrator has to write its new address into the project.\n"},
		"sign in":    {401, "text/plain", "502 git.example.test answers 401 Unauthorized: no\n"},
	} {
		_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", c.header)
			w.Header().Set("WWW-Authenticate", "Basic")
			w.Header().Set("Location", "https://elsewhere.example.test/")
			w.WriteHeader(c.status)
			io.WriteString(w, "no\x1b\nmore\n")
		})
		resp, err := http.Get(server.URL + repository + "/info/refs?service=git-upload-pack")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprint(resp.StatusCode, " ", string(body)); got != c.want || resp.Header.Get("WWW-Authenticate") != "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestAttack29HostileAddresses: only the four requests of the smart protocol, for a repository of a project, reach an
// upstream.
func TestAttack29HostileAddresses(t *testing.T) {
	reached := false
	_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) { reached = true })
	for _, request := range []string{
		"GET " + repository + "/info/refs", // the dumb protocol
		"GET " + repository + "/HEAD",
		"GET " + repository + "/objects/info/packs",
		"GET " + repository + "/info/refs?service=git-upload-archive",
		"GET " + repository + "/info/refs?service=git-upload-pack&x=1",
		"GET " + repository + "/info/refs?service=--upload-pack=x",
		"GET " + repository + "/info/refs?service=git%2dupload-pack",
		"POST " + repository + "/info/refs?service=git-upload-pack",
		"GET " + repository + "/git-upload-pack",
		"POST " + repository + "/git-upload-pack?x=1",
		"POST " + repository + "/git-upload-archive",
		"GET /git/git.example.test/payments/none/info/refs?service=git-upload-pack",
		"GET /git/git.example.test/../payments/api/info/refs?service=git-upload-pack",
		"GET /git/git.example.test//payments/api/info/refs?service=git-upload-pack",
		"GET /git/git.example.test/payments%2fapi/info/refs?service=git-upload-pack",
		"GET /git/git.example.test/payments/-x/info/refs?service=git-upload-pack",
		"GET /git/user@git.example.test/payments/api/info/refs?service=git-upload-pack",
		"GET /git/git.example.test:443%00/payments/api/info/refs?service=git-upload-pack",
		"GET /git/git.example.test/info/refs?service=git-upload-pack",
		"GET /git//info/refs?service=git-upload-pack",
		"GET /git/info/refs?service=git-upload-pack",
		"GET /git/",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", request)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 400 && resp.StatusCode != 403 && resp.StatusCode != 404 {
			t.Errorf("%s: %s", request, resp.Status)
		}
		conn.Close()
		if reached {
			t.Fatalf("%s reached the upstream", request)
		}
	}
}

// TestAttack29NothingFollowsAnEmptyPush: git asks with an empty list whether it may push. Commands after that list were
// judged by nobody and reach no upstream.
func TestAttack29NothingFollowsAnEmptyPush(t *testing.T) {
	got := make(chan string, 2)
	_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
		w.Header().Set("Content-Type", receivePack.answerType())
	})
	hidden := pkt(idA+" "+idB+" refs/heads/main\x00report-status") + flushPacket + "PACK"
	post(t, server, receivePack, strings.NewReader(flushPacket+hidden))
	post(t, server, receivePack, io.MultiReader(strings.NewReader(flushPacket), strings.NewReader(hidden))) // in chunks
	for range 2 {
		if body := <-got; body != flushPacket {
			t.Errorf("the upstream was sent %q", body)
		}
	}
}

// TestAttack26StrangersLearnNothing: who came through no tunnel is answered alike for every repository, before anything
// of the request is read.
func TestAttack26StrangersLearnNothing(t *testing.T) {
	w := gatewaytest.New(t, "repositories:\n  - url: https://git.example.test/payments/api\n")
	s := &scene{World: w, handler: New(Config{Access: w.Engine, Facts: w.Engine.Facts, Log: w.Log})}
	server := s.Serve(t, identity.Principal{}, s.routes()...)
	var said []string
	for _, name := range []string{"api", "none"} {
		for _, path := range []string{"/info/refs?service=git-upload-pack", "/info/refs?service=git-receive-pack"} {
			resp, err := http.Get(server.URL + "/git/git.example.test/payments/" + name + path)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			said = append(said, fmt.Sprint(resp.StatusCode, " ", string(body)))
		}
	}
	for _, one := range said {
		if one != "403 Sign in first: nobody is signed in.\n" {
			t.Errorf("a stranger is told %q", one)
		}
	}
}

// TestAttack27PushesAreBounded: lists of refs that never end take the server's memory for sixteen pushes of a workspace, not
// for as many as it can open; when they are gone, it pushes again.
func TestAttack27PushesAreBounded(t *testing.T) {
	_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", receivePack.answerType())
	})
	var open []net.Conn
	answered := map[net.Conn]string{}
	for range 2 * maxPushes {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
		fmt.Fprintf(conn, "POST %s/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 100000\r\n\r\n%s",
			repository, receivePack.requestType(), pkt(idA+" "+idB+" refs/heads/main\x00report-status"))
	}
	gatewaytest.Eventually(t, "half of them are refused", func() bool {
		for _, conn := range open {
			status := make([]byte, len("HTTP/1.1 503"))
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if _, err := io.ReadFull(conn, status); err == nil && answered[conn] == "" {
				answered[conn] = string(status)
			}
		}
		return len(answered) >= maxPushes
	})
	for _, status := range answered {
		if status != "HTTP/1.1 503" || len(answered) != maxPushes {
			t.Errorf("%d were answered, one with %s", len(answered), status)
		}
	}
	for _, conn := range open {
		conn.Close()
	}
	gatewaytest.Eventually(t, "there is room again", func() bool {
		return post(t, server, receivePack, strings.NewReader(flushPacket)).StatusCode == http.StatusOK
	})
}

// TestAttack31NamesDoNotAct: a group's name, which its owner chooses, commands nobody's terminal when git shows why
// something is refused.
func TestAttack31NamesDoNotAct(t *testing.T) {
	w := gatewaytest.New(t, "repositories:\n  - url: https://git.example.test/payments/api\n")
	s := &scene{World: w, handler: New(Config{Access: w.Engine, Facts: w.Engine.Facts, Log: w.Log})}
	w.Engine.Publish(func(f access.Facts) access.Facts {
		var renamed []directory.Group
		for g := range f.Directory.AllGroups() {
			named := *g
			named.Name = "\x1b]0;owned\x07viewers\u009b2J\u202egpj\r"
			renamed = append(renamed, named)
		}
		f.Directory, _ = f.Directory.With(directory.Change{Groups: renamed})
		return f
	}, access.Touched{All: true})
	server := s.Serve(t, w.Workspace(gatewaytest.Linus), s.routes()...)
	resp, err := http.Get(server.URL + repository + "/info/refs?service=git-receive-pack")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first, _ := io.ReadAll(resp.Body)
	pushed := pkt(idA+" "+idB+" refs/heads/main\x00report-status") + flushPacket
	second, _ := io.ReadAll(post(t, server, receivePack, strings.NewReader(pushed)).Body)
	for _, said := range []string{string(first), string(second)} {
		if !strings.Contains(said, "viewers") || strings.ContainsAny(said, "\x1b\x07\r\u009b\u202e") {
			t.Errorf("git shows %q", said)
		}
	}
}

func TestCompressedRequestAndExpectation(t *testing.T) {
	var mu sync.Mutex
	var got string
	var header http.Header
	_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got, header = string(body), r.Header
		mu.Unlock()
		w.Header().Set("Content-Type", uploadPack.answerType())
		io.WriteString(w, flushPacket)
	})
	request := pkt("command=fetch", "want "+idA+"\n") + flushPacket
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, request)
	z.Close()
	resp := post(t, server, uploadPack, &packed, "Content-Encoding", "gzip", "Expect", "100-continue", "Git-Protocol", "version=2",
		"Cookie2", "x", "Authorization", "Basic mine", "X-Forwarded-For", "x", "Accept-Encoding", "gzip")
	if body, err := io.ReadAll(resp.Body); string(body) != flushPacket || err != nil {
		t.Fatalf("%s %q, %v", resp.Status, body, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got != request {
		t.Errorf("the upstream got %q", got)
	}
	for name := range header {
		switch name {
		case "Accept", "Accept-Encoding", "Content-Type", "User-Agent", "Git-Protocol":
		default:
			t.Errorf("the upstream got the header %s: %s", name, header[name])
		}
	}
	if resp := post(t, server, uploadPack, strings.NewReader("x"), "Content-Encoding", "br"); resp.StatusCode != 400 {
		t.Errorf("another encoding: %s", resp.Status)
	}
	if resp := post(t, server, uploadPack, strings.NewReader("x"), "Content-Encoding", "gzip"); resp.StatusCode != 400 {
		t.Errorf("a broken one: %s", resp.Status)
	}
	if resp := post(t, server, uploadPack, strings.NewReader("x"), "Content-Type", "text/plain"); resp.StatusCode != 400 {
		t.Errorf("another content type: %s", resp.Status)
	}
}

// TestMemoryOfALargeAnswerIsFlat passes 128 MB through and looks at the heap meanwhile.
func TestMemoryOfALargeAnswerIsFlat(t *testing.T) {
	const packets, size = 2048, maxPacket
	packet := []byte(pkt("\x01" + strings.Repeat("x", size-packetHead-1)))
	_, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", uploadPack.answerType())
		for range packets {
			if _, err := w.Write(packet); err != nil {
				return
			}
		}
	})
	resp := post(t, server, uploadPack, strings.NewReader(flushPacket))
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, total := heap(), uint64(0), int64(0)
	for {
		n, err := io.CopyN(io.Discard, resp.Body, 16<<20)
		total += n
		most = max(most, heap())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if total != packets*size {
		t.Errorf("%d of %d bytes", total, packets*size)
	}
	if most > before+4<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, most)
	}
}

// TestCutBeforeTheUpstreamAnswers: the reason is told in the form of each request.
func TestCutBeforeTheUpstreamAnswers(t *testing.T) {
	push := pkt(none+" "+idA+" refs/heads/new\x00 report-status") + flushPacket
	for name, c := range map[string]struct {
		method, path, body, want string
	}{
		"first request": {"GET", "/info/refs?service=git-upload-pack", "", "Lanyard closed this: you are no longer"},
		"fetch":         {"POST", "/git-upload-pack", flushPacket, "ERR Lanyard closed this: you are no longer"},
		"push":          {"POST", "/git-receive-pack", push + "PACK", "Whether the push was taken is not known here"},
	} {
		asked := make(chan struct{})
		world, server := plainScene(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			close(asked)
			<-r.Context().Done()
		})
		go func() {
			<-asked
			world.Leave()
		}()
		r, _ := http.NewRequest(c.method, server.URL+repository+c.path, strings.NewReader(c.body))
		if c.method == "POST" {
			r.Header.Set("Content-Type", "application/x-"+c.path[1:]+"-request")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), c.want) || !strings.Contains(string(body), "payments-engineers") {
			t.Errorf("%s: %s %q, %v", name, resp.Status, body, err)
		}
	}
}
