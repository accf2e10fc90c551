package server

import (
	"strconv"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/token"
)

// TestTicketsAndStatesOfAnyReplica: what one replica made, another with the same key takes, for as long as it holds; what
// nobody made is taken by none.
func TestTicketsAndStatesOfAnyReplica(t *testing.T) {
	key := token.NewSealingKey()
	made := func(key []byte) (*Server, entra.Config) {
		sealer, err := token.NewSealer(key)
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{sealer: sealer}
		s.replica.rings = make(chan struct{}, 1)
		s.replica.lead = feed.NewLead(feed.LeadConfig{Work: "installation"})
		return s, s.atAnyReplica(entra.Config{})
	}
	_, one := made(key)
	two, other := made(key)
	_, stranger := made(token.NewSealingKey())

	ticket := one.Ticket()
	if !other.Ticketed(ticket) || stranger.Ticketed(ticket) {
		t.Error("a ticket is taken by another replica alone")
	}
	old := strconv.FormatInt(time.Now().Add(-time.Second).Unix(), 10) + ".nonce"
	for _, bad := range []string{"", ".", "x", ticket + "0", "9" + ticket, old + "." + two.sealer.Tag(ticketTag, old), one.State()} {
		if other.Ticketed(bad) {
			t.Errorf("%q is taken for a ticket", bad)
		}
	}

	state := one.State()
	if len(state) > 128 {
		t.Errorf("Graph takes a state of at most 128 characters, not %d", len(state))
	}
	if !other.Elsewhere(state, false) || len(two.replica.rings) != 1 || two.replica.renew.Load() {
		t.Error("a notification of another replica's subscription does not ring")
	}
	if !other.Elsewhere(state, true) || !two.replica.renew.Load() {
		t.Error("one about the subscription renews nothing")
	}
	for _, bad := range []string{"", ".", "x.y", state + "0", ticket} {
		if other.Elsewhere(bad, true) {
			t.Errorf("%q is taken for a state", bad)
		}
	}
	if stranger.Elsewhere(state, false) {
		t.Error("a state is taken without the key")
	}
}
