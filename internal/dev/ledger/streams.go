package ledger

import (
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

const tick = 100 * time.Millisecond

// watch sends an event every 100 ms, for ever.
func watch(w http.ResponseWriter, r *http.Request, c Caller) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	every(w, r, func(n int) error {
		_, err := fmt.Fprintf(w, "id: %d\nevent: balance\ndata: {\"balance_minor\": %d, \"for\": %q}\n\n", n, 1_000_000+n, c.Name)
		return err
	})
}

// export sends a line of a long report every 100 ms, for ever.
func export(w http.ResponseWriter, r *http.Request, c Caller) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	every(w, r, func(n int) error {
		_, err := fmt.Fprintf(w, "%08d;card payment;%d;exported for %s\n", n, 100+n%9900, c.Name)
		return err
	})
}

// live sends the balance over a WebSocket every 100 ms, for ever, to pages of the ledger's own.
func live(w http.ResponseWriter, r *http.Request, c Caller) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	ctx := conn.CloseRead(r.Context())
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := 1; ; n++ {
		line := fmt.Sprintf(`{"balance_minor": %d, "for": %q}`, 1_000_000+n, c.Name)
		if conn.Write(ctx, websocket.MessageText, []byte(line)) != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func every(w http.ResponseWriter, r *http.Request, write func(n int) error) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	flush := http.NewResponseController(w).Flush
	for n := 1; ; n++ {
		if write(n) != nil || flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}
