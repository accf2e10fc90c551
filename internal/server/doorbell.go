package server

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/feed"
)

const (
	ringEvery  = 100 * time.Millisecond
	ticketLife = time.Minute // Graph asks within ten seconds

	stateTag  = "graph notifications"
	ticketTag = "graph subscriptions"
	// renewKey is in the feed's entry of a notification that is about the subscriptions.
	renewKey = "subscriptions"
)

// atAnyReplica lets every replica check what Graph brings, since it may come to any of them: the secret of a
// notification, and the ticket in the address while a subscription is being made.
func (s *Server) atAnyReplica(c entra.Config) entra.Config {
	c.State = func() string {
		nonce := random()
		return nonce + "." + s.sealer.Tag(stateTag, nonce)
	}
	c.Elsewhere = func(state string, lifecycle bool) bool {
		nonce, tag, ok := strings.Cut(state, ".")
		if !ok || !s.sealer.Tagged(stateTag, nonce, tag) {
			return false
		}
		if lifecycle {
			s.replica.renew.Store(true)
		}
		s.passOn()
		return true
	}
	c.Ticket = func() string {
		until := strconv.FormatInt(time.Now().Add(ticketLife).Unix(), 10) + "." + random()
		return until + "." + s.sealer.Tag(ticketTag, until)
	}
	c.Ticketed = func(ticket string) bool {
		at := strings.LastIndexByte(ticket, '.')
		if at < 0 || s.leading() { // who leads makes the subscriptions, and knows which
			return false
		}
		seconds, _, _ := strings.Cut(ticket, ".")
		until, err := strconv.ParseInt(seconds, 10, 64)
		return err == nil && time.Now().Unix() < until && s.sealer.Tagged(ticketTag, ticket[:at], ticket[at+1:])
	}
	return c
}

// passOn lets whoever reads the directory read it now.
func (s *Server) passOn() {
	select {
	case s.replica.rings <- struct{}{}:
	default: // it is rung anyway
	}
}

// ring passes rings on, several within ringEvery as one.
func (s *Server) ring(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.replica.rings:
		}
		e := feed.Entry{Topic: feed.Ring}
		if s.replica.renew.Swap(false) {
			e.Keys = []string{renewKey}
		}
		if s.leading() {
			s.rung(e)
		} else if _, err := s.store.Announce(ctx, e); err != nil {
			s.log.Warn("a change notification could not be passed on; the sweep finds what changed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(ringEvery):
		}
	}
}

// rung makes who leads read the directory.
func (s *Server) rung(e feed.Entry) {
	if s.leading() {
		s.graph.Load().Ring(slices.Contains(e.Keys, renewKey))
	}
}
