package entra

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	notificationAtMost = 1 << 20 // bytes
	tokenAtMost        = 8 << 10 // bytes of a validation token
)

// bell is rung by notifications; several rings before it is answered are one.
type bell struct {
	rung chan struct{}

	mu    sync.Mutex
	kinds kinds
	since time.Time // when the first of these rings arrived
}

func newBell() *bell { return &bell{rung: make(chan struct{}, 1)} }

func (b *bell) ring(k kinds, arrived time.Time) {
	b.mu.Lock()
	if b.kinds == 0 {
		b.since = arrived
	}
	b.kinds |= k
	b.mu.Unlock()
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

func (b *bell) answer() (k kinds, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, since = b.kinds, b.since
	b.kinds, b.since = 0, time.Time{}
	return k, since
}

// Notifications is what Graph posts change and lifecycle notifications to, and asks whether the address is ours. A
// notification is a doorbell: what it says is not believed, it makes the source read the deltas. Whoever does not know
// the subscription's random state rings nothing.
func (s *Source) Notifications() http.Handler { return http.HandlerFunc(s.serveNotification) }

func (s *Source) serveNotification(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	if token := r.URL.Query().Get("validationToken"); token != "" {
		answerValidation(w, token)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, notificationAtMost))
	var all notifications
	if err == nil && json.Unmarshal(body, &all) == nil {
		for _, n := range all.Value {
			k, ours := s.subscriptions.known(n.SubscriptionID, n.ClientState)
			switch {
			case !ours:
				s.elsewhere(n.ClientState)
			case n.LifecycleEvent == "":
				s.bell.ring(k, arrived)
			default: // reauthorizationRequired; subscriptionRemoved and missed where they exist
				s.subscriptions.doubt(n.SubscriptionID)
				s.bell.ring(k, arrived)
			}
		}
	}
	w.WriteHeader(http.StatusAccepted) // also to a stranger: nothing is told to who guesses
}

// answerValidation proves that the address is ours. It is plain text and may not become anything else.
func answerValidation(w http.ResponseWriter, token string) {
	if len(token) > tokenAtMost {
		http.Error(w, "validation token too long", http.StatusBadRequest)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, token) // who asked is gone if this fails
}

func sameState(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
