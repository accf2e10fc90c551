package gitproxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Whether a push moves a ref forward is seen before it is forwarded, from what can be proven: the commits at the
// beginning of the pack have the names that their content gives them, so a chain of parents from the new commit to the
// old one is a proof. Where the chain leaves the pack, its commits are the upstream's, and are asked for there: a fetch
// of what is wanted by who has the old commit, without trees where the server can leave them out, of which no more is
// read than of the push. Git's answer "ready" in a negotiation would be shorter and is no proof: a server takes the
// parents of what a client has for had, too. What cannot be proven is taken for a push by force.

const (
	maxWanted   = 16               // commits that the upstream is asked for
	askedWithin = 20 * time.Second // to answer for all refs of a push
	maxReplied  = 64 << 10         // bytes of an advertisement
)

// forwards reports of each update whether it is proven to move its ref forward. What was read of the pack is in head.
func (x *exchange) forwards(updates []update, head *packHead) map[update]bool {
	proven := map[update]bool{}
	head.commits(func() bool {
		for _, u := range updates {
			if _, found := head.leaves(u); !found {
				return false
			}
		}
		return true
	})
	ctx, cancel := context.WithTimeout(x.r.Context(), askedWithin)
	defer cancel()
	for _, u := range updates {
		edge, found := head.leaves(u)
		if !found && len(edge) <= maxWanted {
			if err := x.history(ctx, head, edge, u.Old); err != nil {
				x.c.Log.Warn("the order of two commits could not be had from an upstream", "repository", x.repo.URL, "error", err)
			}
			_, found = head.leaves(u)
		}
		proven[u] = found
	}
	return proven
}

// leaves follows the parents of an update's new commit through the pack: found is whether they lead to its old one; edge are
// the commits that are not in the pack, nearest first.
func (p *packHead) leaves(u update) (edge []string, found bool) {
	next, seen := []string{u.New}, map[string]bool{u.New: true}
	for len(next) > 0 {
		id := next[0]
		next = next[1:]
		if id == u.Old {
			return nil, true
		}
		parents, here := p.parents[id]
		if !here {
			edge = append(edge, id)
		}
		for _, parent := range parents {
			if !seen[parent] {
				seen[parent] = true
				next = append(next, parent)
			}
		}
	}
	return edge, false
}

// history asks the upstream for the commits that lead from the wanted ones to what somebody has, and adds them to head.
func (x *exchange) history(ctx context.Context, head *packHead, wanted []string, has string) error {
	filters, err := x.filters(ctx)
	if err != nil {
		return err
	}
	body := appendPacket(nil, "command=fetch")
	if head.sha256 {
		body = appendPacket(body, "object-format=sha256")
	}
	body = append(body, "0001"...)
	body = appendPacket(body, "no-progress\n")
	if filters {
		body = appendPacket(body, "filter tree:0\n")
	}
	for _, id := range wanted {
		body = appendPacket(body, "want "+id+"\n")
	}
	body = appendPacket(appendPacket(body, "have "+has+"\n"), "done\n")
	body = append(body, flushPacket...)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, x.repo.URL+"/"+string(uploadPack), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", uploadPack.requestType())
	r.Header.Set("Accept", uploadPack.answerType())
	resp, err := x.askV2(r, uploadPack.answerType())
	if err != nil {
		return err
	}
	defer resp.Body.Close() // with it the rest of the answer ends
	sent := newPackHead(bufio.NewReader(&band{from: newPackets(resp.Body, make([]byte, maxPacket))}), len(has))
	sent.parents = head.parents
	sent.commits(func() bool { return false })
	return nil
}

// filters reports whether the upstream can leave trees out. A server that does not speak version 2 of the protocol is an
// error.
func (x *exchange) filters(ctx context.Context) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, x.repo.URL+"/info/refs?service="+string(uploadPack), nil)
	if err != nil {
		return false, err
	}
	resp, err := x.askV2(r, uploadPack.advertised())
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	reply := newPackets(io.LimitReader(resp.Body, maxReplied), make([]byte, maxPacket))
	version2 := false
	for flushes := 0; flushes < 2; { // one may follow the name of the service
		packet, err := reply.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, err
		}
		line := strings.TrimSuffix(string(packet[packetHead:]), "\n")
		version2 = version2 || line == "version 2"
		if features, ok := strings.CutPrefix(line, "fetch="); ok && version2 {
			return slices.Contains(strings.Fields(features), "filter"), nil
		}
		if len(packet) == packetHead {
			flushes++
		}
	}
	if !version2 {
		return false, errors.New("it does not speak version 2 of Git's protocol")
	}
	return false, nil
}

func (x *exchange) askV2(r *http.Request, contentType string) (*http.Response, error) {
	r.Header.Set("Git-Protocol", "version=2")
	resp, err := x.ask(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != contentType {
		resp.Body.Close()
		return nil, fmt.Errorf("it answers %s with %q", resp.Status, resp.Header.Get("Content-Type"))
	}
	return resp, nil
}

// band reads the pack out of the packets of an answer.
type band struct {
	from *packets
	rest []byte
}

// Read implements io.Reader.
func (b *band) Read(to []byte) (int, error) {
	for len(b.rest) == 0 {
		packet, err := b.from.next()
		if err != nil {
			return 0, err
		}
		if content := packet[packetHead:]; len(content) > 1 && content[0] == bandData {
			b.rest = content[1:]
		} else if len(content) > 0 && content[0] == bandError {
			return 0, errors.New("the upstream ended its answer with an error")
		}
	}
	n := copy(to, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
