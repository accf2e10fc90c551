package gitproxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

func (x *exchange) serve() error {
	switch {
	case x.advertise:
		return x.advertisement()
	case x.service == uploadPack:
		return x.fetch()
	default:
		return x.push()
	}
}

// advertisement answers the first request of every clone, fetch and push. It is asked with the action that will
// follow, so that who may not push is told so here, where git shows the words.
func (x *exchange) advertisement() error {
	action := identity.RepoRead
	if x.service == receivePack {
		action = identity.RepoWrite
	}
	farewell := gateway.NewFarewell()
	defer farewell.Said()
	lease, err := x.open(access.Request{Action: action}, farewell.Bye)
	if err != nil {
		return err
	}
	defer x.end(lease)
	resp, err := x.send(http.MethodGet, "/info/refs?service="+string(x.service), nil, 0)
	if err != nil && !lease.Reason().IsZero() {
		writeText(x.w, err) // while the connection still stands
		return nil
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return x.forward(resp, x.service.advertised(), lease, farewell, nil)
}

func (x *exchange) fetch() error {
	farewell := gateway.NewFarewell()
	defer farewell.Said()
	lease, err := x.open(access.Request{Action: identity.RepoRead}, farewell.Bye)
	if err != nil {
		return x.refuse(err)
	}
	defer x.end(lease)
	asked := &wants{}
	from := &bounded{Reader: counted{x.r.Body, x.watch.read}, left: maxRequest}
	body := io.NopCloser(io.TeeReader(from, asked))
	resp, err := x.send(http.MethodPost, "/"+string(x.service), body, x.r.ContentLength)
	if err != nil && from.left <= 0 {
		err = problem.Wrap(err, problem.TooLarge, "This fetch says more than %d MB about what it has; clone anew.", maxRequest>>20)
	}
	if err != nil {
		return x.refuse(err)
	}
	defer resp.Body.Close()
	for key, value := range asked.shown() { // the upstream answers when it has read what is wanted
		lease.Note(key, value)
	}
	return x.forward(resp, x.service.answerType(), lease, farewell, nil)
}

func (x *exchange) push() error {
	end, err := x.pushes.begin(web.PrincipalFrom(x.r.Context()).Session)
	if err != nil {
		return err
	}
	defer end()
	packet := make([]byte, maxPacket)
	body := newPackets(x.r.Body, packet)
	wanted, err := readCommands(body)
	if err != nil {
		return err
	}
	farewell := gateway.NewFarewell()
	defer farewell.Said()
	request := access.Request{Action: identity.RepoWrite}
	if len(wanted.updates) > 0 { // git first sends an empty list, to see whether it may
		request.Durable, request.Detail = true, wanted.shown()
	}
	lease, err := x.open(request, farewell.Bye)
	if err != nil {
		return x.refusePush(err, wanted)
	}
	defer x.end(lease)
	lease.Count(int64(len(wanted.raw)))
	j := x.judge(lease)
	j.updates(wanted.updates)
	pack := io.Reader(body.r)
	if len(j.refused) == 0 && len(j.unsure) > 0 {
		if err := wanted.readOptions(body); err != nil {
			return x.refusePush(err, wanted)
		}
		head := newPackHead(body.r, len(j.unsure[0].New))
		j.settle(x.forwards(j.unsure, head))
		pack = head.rest()
	}
	if len(j.refused) > 0 {
		lease.Note("refused", j.refused)
		return x.refuseRefs(j, wanted, lease, farewell)
	}
	rest, length := io.Reader(counted{pack, x.count(lease)}), x.r.ContentLength
	if len(wanted.updates) == 0 { // what would follow an empty list was judged by nobody
		rest, length = http.NoBody, int64(len(wanted.raw))
	}
	all := io.MultiReader(bytes.NewReader(wanted.raw), rest)
	held := newHeldBody(all, func() bool { return lease.Reason().IsZero() }, j.again)
	resp, err := x.send(http.MethodPost, "/"+string(x.service), held, length)
	if err != nil {
		if reason := lease.Reason(); !reason.IsZero() {
			return x.cutPush(reason, lease, farewell, wanted, held.whole.Load())
		}
		if denied := held.denied.Load(); denied != nil {
			err = *denied
		}
		return x.refusePush(err, wanted)
	}
	defer resp.Body.Close()
	err = x.forward(resp, x.service.answerType(), lease, farewell, func(a *answer) string {
		if held.whole.Load() {
			return unknownOutcome
		}
		return " Nothing was pushed."
	})
	if err == nil && x.c.Pushed != nil && len(wanted.updates) > 0 {
		x.c.Pushed(x.repo.URL, wanted.names())
	}
	return err
}

// names are the refs of a push.
func (c commands) names() []string {
	all := make([]string, len(c.updates))
	for i, u := range c.updates {
		all[i] = u.Name
	}
	return all
}

const unknownOutcome = " Whether the push was taken is not known here; a fetch will show it."

// send asks the upstream. Nothing of the client's headers is passed on but what the protocol needs.
func (x *exchange) send(method, suffix string, body io.ReadCloser, length int64) (*http.Response, error) {
	out, err := http.NewRequestWithContext(x.r.Context(), method, x.repo.URL+suffix, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		out.ContentLength = length
		out.Header.Set("Content-Type", x.service.requestType())
		out.Header.Set("Accept", x.service.answerType())
	}
	if v := x.r.Header.Get("Git-Protocol"); isProtocol(v) {
		out.Header.Set("Git-Protocol", v)
	}
	return x.ask(out)
}

// ask sends a request to the repository's upstream.
func (x *exchange) ask(out *http.Request) (*http.Response, error) {
	out.Header.Set("Accept-Encoding", "identity") // packets are to be read
	out.Header.Set("User-Agent", "git/2.0 (lanyard)")
	resp, err := x.c.Upstream.Send(out, upstream.Target{
		Name: "the repository " + x.text, Principal: web.PrincipalFrom(x.r.Context()), Credential: x.repo.Credential,
		Write: strings.HasSuffix(out.URL.RequestURI(), string(receivePack)), // what is asked about the order of commits only reads
	})
	if err != nil && x.stalled() {
		return nil, problem.Wrap(errStalled, problem.SlowUpstream, "%s", x.silence())
	}
	return resp, err
}

// isProtocol takes what git itself sends: key=value pairs between colons.
func isProtocol(v string) bool {
	if v == "" || len(v) > 64 {
		return false
	}
	for i := range len(v) {
		if c := v[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '=' && c != ':' && c != '-' {
			return false
		}
	}
	return true
}

// forward passes the upstream's answer on. outcome, where given, says after a cut what became of the request.
func (x *exchange) forward(resp *http.Response, contentType string, lease *access.Lease, farewell *gateway.Farewell, outcome func(*answer) string) error {
	if err := x.unexpected(resp, contentType); err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	x.w.WriteHeader(http.StatusOK)

	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	a := newAnswer(x.w, *buf)
	if x.advertise {
		a.most = maxAdvertised
	}
	err := a.forward(resp.Body, x.count(lease))
	if a.over && err == nil {
		return nil
	}
	reason := lease.Reason()
	switch {
	case !reason.IsZero():
		text := closedText(reason)
		if outcome != nil {
			text += outcome(a)
		}
		a.last(text)
		x.linger()
	case errors.Is(err, errDownstream):
	case x.stalled():
		a.last("Lanyard: " + x.silence())
	case x.r.Context().Err() != nil: // the client has gone
	default:
		x.c.Log.Warn("an upstream's answer broke off", "repository", x.repo.URL, "error", err)
		a.last("Lanyard: the upstream's answer broke off.")
	}
	return farewell.Abort(lease)
}

// unexpected explains an answer that is not the one git waits for.
func (x *exchange) unexpected(resp *http.Response, contentType string) error {
	host := resp.Request.URL.Hostname()
	switch {
	case resp.StatusCode == http.StatusForbidden:
		return problem.New(problem.Denied, "Lanyard allows this, but %s itself refuses it: %s", host, firstLine(resp))
	case resp.StatusCode == http.StatusNotFound:
		return problem.New(problem.NotFound, "Lanyard knows %s, but %s does not have it, or hides it from you.", x.text, host)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return problem.New(problem.BadUpstream,
			"%s says that the repository has moved; an administrator has to write its new address into the project.", host)
	case resp.StatusCode != http.StatusOK:
		return problem.New(problem.BadUpstream, "%s answers %s: %s", host, resp.Status, firstLine(resp))
	case resp.Header.Get("Content-Type") != contentType:
		return problem.New(problem.BadUpstream, "%s does not answer as a Git server with the smart HTTP protocol.", host)
	case resp.Header.Get("Content-Encoding") != "" && resp.Header.Get("Content-Encoding") != "identity":
		return problem.New(problem.BadUpstream, "%s compresses its answer, which nobody asked for.", host)
	}
	return nil
}

// firstLine is what a server says in plain text, for a person; cut short, without control characters.
func firstLine(resp *http.Response) string {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		return "it does not say why."
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 300))
	if err != nil {
		return "it does not say why."
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, line)
}

// maxAdvertised bounds a list of refs, which a client keeps in memory: about ten million of them.
const maxAdvertised = 1 << 30

// lingering is how long the connection stays after the last words, so that a client that is still sending reads
// them before it meets the closed connection. It is less than access.Goodbye.
const lingering = 120 * time.Millisecond

func (x *exchange) linger() {
	if x.advertise {
		return
	}
	time.Sleep(lingering)
}

type counted struct {
	io.Reader
	count func(int64)
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.count(int64(n))
	return n, err
}
