package cut

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// kind is one kind of stream. Whoever adds a protocol adds its row to kinds.
type kind struct {
	name     string
	action   string // of its lease
	resource string // in its lease's resource
	signIn   bool   // it rests on the sign-in alone, not on a role in the project
	browser  bool   // its client is a browser on a site of its own
	inside   bool   // its client is a program in the workspace, which ends when the workspace stops
	// open returns when bytes flow.
	open func(*place) stream
	// says checks that the client was told the reason, if need be in the next answer, and took nothing for whole. Where
	// nothing but the goodbye is missing, the error is silent.
	says func(e ending, reason, next string) error
}

// stream is a stream that is open.
type stream interface {
	// Ended waits for the end as the client sees it.
	Ended(context.Context, *place) (ending, error)
	// Goes reports whether bytes still flow.
	Goes(*place) bool
	// Leave gives it up, if it is still open.
	Leave(*place)
}

// ending is how a stream ended for its client.
type ending struct {
	at     time.Time
	said   string // everything that the client read or printed
	status int    // a program's exit status, a WebSocket's close code
	err    error  // what a client that is no program got instead of a clean end
	next   string // what the next request of the same kind was answered, where that is where the reason stands
}

func kinds() []kind {
	return append(appStreams(), []kind{
		{
			name: "answer over a tunnel of the test's own", action: "app:call", resource: "ledger",
			open: func(p *place) stream { return p.answer("/r/ledger/export") },
			says: func(e ending, reason, next string) error {
				if e.err == nil {
					return fmt.Errorf("the answer ended as if it were whole")
				}
				return has("the next answer ("+e.next+")", e.next, next)
			},
		},
		{
			name: "server-sent events, curl", action: "app:call", resource: "ledger", inside: true,
			open: func(p *place) stream {
				return p.program("watch", "curl -sSN http://127.0.0.1:7070/r/ledger/watch", "event: balance", "true")
			},
			says: func(e ending, reason, next string) error {
				last := e.said[max(0, strings.LastIndex(e.said, "event: ")):]
				return goodbye("the last event", last, "event: lanyard-closed\ndata: "+reason+"\n\n")
			},
		},
		{
			name: "a long answer, curl", action: "app:call", resource: "ledger", inside: true,
			open: func(p *place) stream {
				return p.program("export", "curl -sSN http://127.0.0.1:7070/r/ledger/export", "exported for",
					"curl -sS http://127.0.0.1:7070/r/ledger/whoami")
			},
			says: func(e ending, reason, next string) error {
				if e.status == 0 {
					return fmt.Errorf("curl took the answer for whole")
				}
				if err := has("what curl said", e.said, "curl: ("); err != nil {
					return err
				}
				return has("the next answer ("+e.next+")", e.next, next)
			},
		},
		{
			name: "terminal, WebSocket", action: "workspace:open", resource: "w-",
			open: func(p *place) stream { return p.terminal() },
			says: func(e ending, reason, next string) error {
				if e.status != int(closedByLanyard) {
					return silent{fmt.Errorf("the close code is %d", e.status)}
				}
				return goodbye("the terminal", e.said, "Lanyard closed this terminal: "+reason)
			},
		},
		{
			name: "git clone", action: "repo:read", resource: "payments/assets", inside: true,
			open: func(p *place) stream {
				return p.program("clone", "rm -rf /tmp/clone; git clone --progress https://git.example.test/payments/assets /tmp/clone", "Receiving objects", "true")
			},
			says: func(e ending, reason, next string) error {
				if e.status == 0 {
					return fmt.Errorf("git took the clone for whole")
				}
				return goodbye("git", e.said, "Lanyard closed this: "+reason)
			},
		},
		{
			name: "git push", action: "repo:write", resource: "payments/api", inside: true,
			open: func(p *place) stream { return p.push() },
			says: func(e ending, reason, next string) error {
				if e.status == 0 {
					return fmt.Errorf("git took the push for done")
				}
				return goodbye("git", e.said, "Lanyard closed this: "+reason)
			},
		},
		{
			name: "exec", action: "workspace:open", resource: "w-",
			open: func(p *place) stream { return p.exec() },
			says: func(e ending, reason, next string) error {
				return goodbye("exec", fmt.Sprint(e.err), "Lanyard closed this: "+reason)
			},
		},
		{
			name: "forwarded ports", action: "workspace:open", resource: "w-",
			open: func(p *place) stream { return p.forwarded() },
			says: func(e ending, reason, next string) error {
				return goodbye("port-forward", fmt.Sprint(e.err), "Lanyard closed this: "+reason)
			},
		},
		{
			name: "the dashboard's list of what is open", action: "lease:list", resource: "user", signIn: true,
			open: func(p *place) stream { return p.dashboard() },
			says: func(e ending, reason, next string) error { return goodbye("the last event", fmt.Sprint(e.err), reason) },
		},
	}...)
}

// closedByLanyard is the terminal's close code after a cut.
const closedByLanyard websocket.StatusCode = 4403

// silent is the error of a client that was not told why: the goodbye has 200 ms, at best effort, and a machine that is
// busy enough does not reach its end. The reason stands under "ended" all the same.
type silent struct{ error }

func goodbye(where, text, words string) error {
	if err := has(where, text, words); err != nil {
		return silent{err}
	}
	return nil
}

func has(where, text, words string) error {
	if !strings.Contains(text, words) {
		return fmt.Errorf("%s does not say %q", where, words)
	}
	return nil
}
