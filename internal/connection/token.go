package connection

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	// renewBefore is how long before its end a token is not used any more.
	renewBefore = 5 * time.Minute
	// lookAgain is how long a token is used without looking whether the person is still connected, which may have
	// ended at another replica.
	lookAgain = 30 * time.Second
)

// tokens are what a host gave for a person: eight hours and six months by GitHub's own rule.
type tokens struct {
	Access      string    `json:"access"`
	AccessEnds  time.Time `json:"access_ends"`
	Refresh     string    `json:"refresh"` // for one use
	RefreshEnds time.Time `json:"refresh_ends"`
}

type personKey struct {
	user identity.UserID
	app  string
}

// personToken is held while it is looked for or renewed, so that many requests of one person renew once.
type personToken struct {
	mu     sync.Mutex
	access string
	ends   time.Time
	looked time.Time
}

func (s *Service) person(k personKey) *personToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.people[k]
	if t == nil {
		t = &personToken{}
		s.people[k] = t
	}
	return t
}

// UserToken is the person's own token for an app, to be sent to host. The error says where to connect.
func (s *Service) UserToken(ctx context.Context, p identity.Principal, name, host string) (string, error) {
	a, err := s.app(name, host)
	if err != nil {
		return "", err
	}
	if p.User.IsZero() {
		return "", problem.New(problem.Denied, "Only a person has a connection to %s.", a.host())
	}
	k := personKey{p.User, name}
	t := s.person(k)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := s.c.Now()
	if t.access != "" && now.Before(t.ends.Add(-renewBefore)) && now.Before(t.looked.Add(lookAgain)) {
		return t.access, nil
	}
	row, found, err := s.c.Rows.Connection(ctx, p.User, name)
	if err != nil {
		if t.access != "" && now.Before(t.ends) { // the database is down: what is known goes on
			return t.access, nil
		}
		return "", problem.Wrap(err, problem.Unavailable, "Your connection to %s cannot be read now. Try again in a moment.", a.host())
	}
	t.access = ""
	if !found {
		return "", problem.New(problem.Denied, "You are not connected to %s yet: open %s", a.host(), s.start(a))
	}
	have, err := s.usable(ctx, a, row, now)
	if err != nil {
		return "", err
	}
	t.access, t.ends, t.looked = have.Access, have.AccessEnds, now
	return t.access, nil
}

// usable opens a row's tokens and renews them when their time is near.
func (s *Service) usable(ctx context.Context, a App, row Row, now time.Time) (tokens, error) {
	for range 2 {
		if row.Broken != "" {
			return tokens{}, s.renewal(a)
		}
		have, err := s.open(row)
		if err != nil {
			s.c.Log.Error("a connection cannot be opened", "app", a.Name, "user", row.User, "error", err)
			return tokens{}, s.renewal(a)
		}
		if now.Before(have.AccessEnds.Add(-renewBefore)) {
			return have, nil
		}
		if have, err = s.refresh(ctx, a, row, have); err == nil {
			return have, nil
		}
		if !errors.Is(err, errRefused) {
			return tokens{}, err
		}
		// A refresh token is for one use. If another replica has used it meanwhile, its tokens are there.
		again, found, failed := s.c.Rows.Connection(ctx, row.User, row.App)
		if failed != nil {
			return tokens{}, problem.Wrap(failed, problem.Unavailable, "Your connection to %s cannot be read now. Try again in a moment.", a.host())
		}
		if !found {
			return tokens{}, problem.New(problem.Denied, "You are not connected to %s any more: open %s", a.host(), s.start(a))
		}
		if again.Version == row.Version {
			s.broke(ctx, a, again, "the host took its refresh token no more")
			return tokens{}, s.renewal(a)
		}
		row = again
	}
	return tokens{}, s.renewal(a)
}

// refresh redeems the refresh token and keeps what comes of it.
func (s *Service) refresh(ctx context.Context, a App, row Row, have tokens) (tokens, error) {
	fresh, err := s.redeem(ctx, a, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {have.Refresh}})
	if err != nil {
		return tokens{}, err
	}
	// From here on only the new tokens work: keeping them does not end with the request that needed them.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	row.Sealed, err = s.seal(row, fresh)
	if err != nil {
		return tokens{}, err
	}
	row.Renewed, row.Ends = s.c.Now(), fresh.RefreshEnds
	for range 3 {
		if done, failed := s.c.Rows.RenewConnection(ctx, row); failed == nil {
			if !done {
				s.c.Log.Warn("a connection was changed while it was renewed", "app", a.Name, "user", row.User)
			}
			return fresh, nil
		} else {
			err = failed
		}
	}
	// The access token works for hours; then the person connects anew.
	s.c.Log.Error("a connection's renewed tokens could not be kept", "app", a.Name, "user", row.User, "error", err)
	return fresh, nil
}

// Refused is told that the host took a person's token no more, and answers what to say to them.
func (s *Service) Refused(ctx context.Context, p identity.Principal, name string) error {
	a, err := s.app(name, "")
	if err != nil {
		return err
	}
	t := s.person(personKey{p.User, name})
	t.mu.Lock()
	t.access = ""
	t.mu.Unlock()
	if row, found, err := s.c.Rows.Connection(ctx, p.User, name); err == nil && found && row.Broken == "" {
		s.broke(ctx, a, row, "the host took its token no more")
	}
	return s.renewal(a)
}

func (s *Service) broke(ctx context.Context, a App, row Row, why string) {
	row.Broken = why
	if _, err := s.c.Rows.RenewConnection(ctx, row); err != nil {
		s.c.Log.Error("a connection that is broken could not be marked", "app", a.Name, "user", row.User, "error", err)
	}
}

func (s *Service) renewal(a App) error {
	return problem.New(problem.Denied, "The connection to %s has to be renewed: open %s", a.host(), s.start(a))
}

func (s *Service) open(row Row) (t tokens, err error) {
	plain, err := s.c.Sealer.Open(SealedAs(row.User, row.App), row.Sealed)
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(plain, &t)
}

func (s *Service) seal(row Row, t tokens) ([]byte, error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return s.c.Sealer.Seal(SealedAs(row.User, row.App), plain), nil
}
