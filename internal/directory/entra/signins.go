package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

const (
	askedAtOnce  = 15  // users in one $filter: Graph takes no more alternatives
	asksAtMost   = 200 // requests for it in one sweep; who did not come up does so in the next
	asksInSync   = 10  // likewise, when somebody waits for the reading
	asksTogether = 4   // of these, under way at one time
)

// userPage is a page of users.
type userPage struct {
	Value []struct {
		ID          string `json:"id"`
		SignInsFrom string `json:"signInSessionsValidFromDateTime"`
	} `json:"value"`
}

// sweepSignIns asks, for those who have a sign-in, from when their sign-ins count: a delta need not say that it changed.
// The moment only moves on, so that an answer that lags behind changes nothing. most bounds the requests. reading is held.
func (s *Source) sweepSignIns(ctx context.Context, most int) error {
	asked := s.nextWatched(most)
	if len(asked) == 0 {
		return nil
	}
	answers := make(chan signInsAnswer, len(asked))
	room := make(chan struct{}, asksTogether)
	for _, ids := range asked {
		go func() {
			room <- struct{}{}
			found, err := s.askSignIns(ctx, ids)
			<-room
			answers <- signInsAnswer{found, err}
		}()
	}
	var c directory.Change
	var failed error
	old := s.directory.Snapshot()
	for range asked {
		a := <-answers
		if a.err != nil {
			failed = a.err
		}
		for id, from := range a.from {
			if u, known := old.User(id); known && from.After(u.SignInsFrom) {
				changed := *u
				changed.SignInsFrom = from
				c.Users = append(c.Users, changed)
			}
		}
	}
	s.figures.say(func(st *State) {
		st.SignIns = ""
		if failed != nil {
			st.SignIns = clipped(failed)
		}
	})
	if len(c.Users) > 0 {
		s.learned(time.Now())
		if err := s.apply(ctx, c, reasonSignIns, applyWait); err != nil {
			return err
		}
	}
	switch status := statusOf(failed); {
	case status == http.StatusForbidden || status == http.StatusBadRequest || status == http.StatusNotImplemented:
		return nil // State says so; the rest of the directory is read
	case failed != nil:
		return fmt.Errorf("ask from when sign-ins count: %w", failed)
	}
	return nil
}

type signInsAnswer struct {
	from map[identity.UserID]time.Time
	err  error
}

// nextWatched is whom to ask for now with so many requests, in the portions of a request. With more than can be asked for, each
// sweep goes on where the one before stopped.
func (s *Source) nextWatched(requests int) [][]string {
	if s.watched == nil {
		return nil
	}
	var ids []string
	for _, u := range s.watched() {
		if u.Tenant == s.tenant && objectID(u.Object) == u.Object && !strings.Contains(u.Object, "'") {
			ids = append(ids, u.Object)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	s.figures.say(func(st *State) { st.Watched = len(ids) })
	if most := requests * askedAtOnce; len(ids) > most {
		at, _ := slices.BinarySearch(ids, s.watchedTo)
		ids = append(ids[at:len(ids):len(ids)], ids[:at]...)
		s.watchedTo = ids[most]
		ids = ids[:most]
	}
	return slices.Collect(slices.Chunk(ids, askedAtOnce))
}

func (s *Source) askSignIns(ctx context.Context, ids []string) (map[identity.UserID]time.Time, error) {
	query := url.Values{"$select": {"id," + signInsFrom}, "$filter": {"id in ('" + strings.Join(ids, "','") + "')"}}
	var page userPage
	_, err := s.graph.get(ctx, s.graph.url("/users?"+query.Encode()), &page)
	if err != nil {
		return nil, err
	}
	from := map[identity.UserID]time.Time{}
	for _, u := range page.Value {
		if at := moment(u.SignInsFrom); at.set {
			from[identity.UserID{Tenant: s.tenant, Object: objectID(u.ID)}] = at.value
		}
	}
	return from, nil
}
