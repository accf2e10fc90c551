package gitproxy

import (
	"slices"
	"strings"
	"sync"
)

// wants reads along with a fetch's request as it streams, and keeps what the audit log wants to know: which command,
// and which objects were asked for. It holds one short line; what it cannot read it lets pass, since the upstream
// judges the request.
type wants struct {
	mu      sync.Mutex // the transport writes; the handler reads when the answer is over
	head    []byte     // of the packet's length, so far
	left    int        // bytes of the packet still to come
	line    []byte     // the beginning of its content
	broken  bool
	command string   // protocol v2
	objects []string // at most maxShown
	count   int
}

const maxLine = 128

// Write implements io.Writer; it never fails.
func (w *wants) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for len(p) > 0 && !w.broken {
		if w.left == 0 {
			take := min(packetHead-len(w.head), len(p))
			w.head = append(w.head, p[:take]...)
			p = p[take:]
			if len(w.head) < packetHead {
				continue
			}
			length, err := packetLength(w.head)
			w.head = w.head[:0]
			w.broken = err != nil
			w.left = max(length-packetHead, 0)
			continue
		}
		take := min(w.left, len(p))
		w.line = append(w.line, p[:min(take, maxLine-len(w.line))]...)
		w.left -= take
		p = p[take:]
		if w.left == 0 {
			w.read(string(w.line))
			w.line = w.line[:0]
		}
	}
	return n, nil
}

func (w *wants) read(line string) {
	line = strings.TrimSuffix(line, "\n")
	if c, ok := strings.CutPrefix(line, "command="); ok {
		w.command = c
		return
	}
	rest, ok := strings.CutPrefix(line, "want ")
	if !ok {
		return
	}
	id, _, _ := strings.Cut(rest, " ")                     // the first want of protocol v0 carries the capabilities
	if !isObjectID(id) || slices.Contains(w.objects, id) { // two refs may want the same object
		return
	}
	w.count++
	if len(w.objects) < maxShown {
		w.objects = append(w.objects, id)
	}
}

// shown is what the audit log keeps of the request; nil when it asked for no object.
func (w *wants) shown() map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		return nil
	}
	return map[string]any{"git": "fetch", "wants": w.objects, "want_count": w.count}
}
