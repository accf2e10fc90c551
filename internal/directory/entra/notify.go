package entra

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	notificationAtMost = 1 << 20  // bytes of all that are posted together
	oneAtMost          = 64 << 10 // bytes of one of them, which is all that is kept of a body at a time
	tokenAtMost        = 8 << 10  // bytes of a validation token
	ticketName         = "ticket"
)

// Notifications is what Graph posts change and lifecycle notifications to, and asks whether the address is ours. A
// notification is a doorbell: what it says is not believed, it makes the source read the deltas. Whoever does not know
// the subscription's random state rings nothing. It waits for nothing but the request's own bytes.
func (s *Source) Notifications() http.Handler { return http.HandlerFunc(s.serveNotification) }

func (s *Source) serveNotification(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	if q := r.URL.Query(); q.Has("validationToken") {
		s.answerValidation(w, q.Get("validationToken"), q.Get(ticketName))
		return
	}
	strange := int64(0)
	// What cannot be read any further changes nothing of what was read before.
	_ = eachNotification(r.Body, func(n notification) {
		if !s.notified(n, arrived) {
			strange++
		}
	})
	if strange > 0 {
		s.door.note(func(d *Door) { d.Strange += strange })
	}
	w.WriteHeader(http.StatusAccepted) // also to a stranger: nothing is told to who guesses
}

// notified rings if the notification is ours, or passes it on if it may be another replica's.
func (s *Source) notified(n notification, arrived time.Time) bool {
	lifecycle := n.LifecycleEvent != "" // reauthorizationRequired; subscriptionRemoved and missed where they exist
	k, ours := s.subscriptions.known(n.SubscriptionID, n.ClientState)
	if !ours {
		return s.elsewhere(n.ClientState, lifecycle)
	}
	s.door.rang(arrived)
	if lifecycle {
		s.subscriptions.doubt(n.SubscriptionID)
	}
	s.bell.ring(k, arrived)
	return true
}

// eachNotification reads the notifications of a body one after another and keeps none.
func eachNotification(body io.Reader, do func(notification)) error {
	in := &sips{from: io.LimitReader(body, notificationAtMost), left: oneAtMost}
	d := json.NewDecoder(in)
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if key != "value" {
			var skipped json.RawMessage // validationTokens, where there is data in them
			if err := d.Decode(&skipped); err != nil {
				return err
			}
			continue
		}
		if err := expect(d, json.Delim('[')); err != nil {
			return err
		}
		for d.More() {
			in.left = oneAtMost
			var n notification
			if err := d.Decode(&n); err != nil {
				return err
			}
			do(n)
		}
		if err := expect(d, json.Delim(']')); err != nil {
			return err
		}
	}
	return expect(d, json.Delim('}'))
}

var errNotification = errors.New("it is no notification")

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err == nil && got != want {
		err = errNotification
	}
	return err
}

// sips reads until more was read than may belong to one thing.
type sips struct {
	from io.Reader
	left int
}

func (s *sips) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errNotification
	}
	n, err := s.from.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

// answerValidation proves that the address is ours, while a subscription is being made: the ticket in the address says
// so. It is plain text and may not become anything else.
//
// https://learn.microsoft.com/graph/change-notifications-delivery-webhooks#notificationurl-validation
func (s *Source) answerValidation(w http.ResponseWriter, token, ticket string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-store")
	if len(token) > tokenAtMost || !s.subscriptions.making(ticket) && !s.ticketed(ticket) {
		s.door.note(func(d *Door) { d.Unasked++ })
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "Nobody is subscribing to change notifications now.\n")
		return
	}
	s.door.note(func(d *Door) { d.Echoed++ })
	_, _ = io.WriteString(w, token) // who asked is gone if this fails
}

func sameState(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
