package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// now is the present as it comes back from a database.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func signIn(at time.Time) session.SignIn {
	return session.SignIn{ID: identity.NewSignInID(), User: userID(1), Name: "Ada", At: at, Expires: at.Add(8 * time.Hour), Strength: "c1", TokenID: "uti-1", Hint: "O.hint", Guest: true, IP: "192.0.2.7", Agent: "Browser/1", Correlation: "2c1b7e8e-0c34-4b6e-9d0b-5f3c3a1b9a01",
		Contexts: []string{"c1", "c2"}, TenantSession: "sid", Refresh: []byte{0, 1, 255}}
}

func below(i session.SignIn) session.Session {
	return session.Session{ID: identity.NewSessionID(), SignIn: i.ID, Parent: "s-parent", User: i.User, Kind: session.Site, Secret: [32]byte{1, 0, 2},
		Site: "app-ledger.localhost", Workspace: "w-1", Project: "p-1", Created: i.At, Expires: i.Expires, Used: i.At, Client: "lanyard-cli", Device: "laptop", Key: "thumbprint"}
}

// sessionsRoundTrip stores, changes and reads sign-ins and sessions.
func sessionsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	i := signIn(now())
	a, b := below(i), session.Session{ID: identity.NewSessionID(), SignIn: i.ID, User: i.User, Kind: session.Workspace, Created: i.At}
	if seq, err := s.SaveSignIn(ctx, i, []session.Session{a, b}, entry(feed.Sessions, string(i.ID))); seq != 1 || err != nil {
		t.Fatalf("number %d, %v", seq, err)
	}
	i.Name, i.Contexts, i.Refresh, a.Used = "Ada L.", nil, nil, a.Used.Add(time.Minute)
	if _, err := s.SaveSessions(ctx, []session.SignIn{i}, []session.Session{a}, entry(feed.Sessions)); err != nil {
		t.Fatal(err)
	}
	long, short := signIn(now()), signIn(now())
	long.Ended, long.EndedWhy = now().Add(-25*time.Hour), "long ago"
	short.Ended, short.EndedWhy = now().Add(-time.Hour), "lately"
	gone := below(long)
	gone.Ended = long.Ended
	if _, err := s.SaveSessions(ctx, []session.SignIn{long, short}, []session.Session{gone}, entry(feed.Sessions)); err != nil {
		t.Fatal(err)
	}
	ins, sessions, seq, err := s.LoadSessions(ctx)
	if err != nil || seq != 3 {
		t.Fatalf("number %d, %v", seq, err)
	}
	key := func(v session.SignIn) string { return string(v.ID) }
	if diff := cmp.Diff(sorted([]session.SignIn{i, short}, key), sorted(ins, key)); diff != "" {
		t.Errorf("sign-ins: %s", diff)
	}
	sessionKey := func(v session.Session) string { return string(v.ID) }
	if diff := cmp.Diff(sorted([]session.Session{a, b}, sessionKey), sorted(sessions, sessionKey)); diff != "" {
		t.Errorf("sessions: %s", diff)
	}
	ids := []string{string(long.ID), string(b.ID), "i-unknown"}
	for range 600 {
		ids = append(ids, string(identity.NewSessionID()))
	}
	ids = append(ids, string(gone.ID))
	ins, sessions, err = s.ReadSessions(ctx, ids)
	if err != nil || len(ins) != 1 || !cmp.Equal(ins[0], long) {
		t.Errorf("read: %v, %v", ins, err)
	}
	if diff := cmp.Diff(sorted([]session.Session{b, gone}, sessionKey), sorted(sessions, sessionKey)); diff != "" {
		t.Errorf("read: %s", diff)
	}
}

// endedStaysEnded lets a process that does not know of an ending write after it.
func endedStaysEnded(t *testing.T, db Database) {
	ctx := t.Context()
	one, two := db.Open(t, "one"), db.Open(t, "two")
	i := signIn(now())
	v := below(i)
	if _, err := one.SaveSignIn(ctx, i, []session.Session{v}, entry(feed.Sessions)); err != nil {
		t.Fatal(err)
	}
	ended, endedBelow := i, v
	ended.Ended, ended.EndedWhy = now(), "revoked"
	endedBelow.Ended, endedBelow.EndedWhy = ended.Ended, "revoked"
	if _, err := one.SaveSignIn(ctx, ended, []session.Session{endedBelow}, entry(feed.Sessions)); err != nil {
		t.Fatal(err)
	}
	i.Refresh, v.Used = []byte("rotated"), now()
	if _, err := two.SaveSignIn(ctx, i, []session.Session{v}, entry(feed.Sessions)); err != nil {
		t.Fatal(err)
	}
	ins, sessions, err := two.ReadSessions(ctx, []string{string(i.ID), string(v.ID)})
	if err != nil || len(ins) != 1 || len(sessions) != 1 {
		t.Fatalf("%v, %v, %v", ins, sessions, err)
	}
	if !ins[0].Ended.Equal(ended.Ended) || ins[0].EndedWhy != "revoked" || !sessions[0].Ended.Equal(ended.Ended) || sessions[0].EndedWhy != "revoked" {
		t.Errorf("revived: %+v, %+v", ins[0], sessions[0])
	}
	if !slices.Equal(ins[0].Refresh, ended.Refresh) {
		t.Errorf("a refresh token was stored for a sign-in that had ended")
	}
	// Nor below another sign-in, by which an owner who signs in again adopts the workspaces that had not ended themselves.
	next := signIn(now())
	v.SignIn = next.ID
	if _, err := two.SaveSignIn(ctx, next, []session.Session{v}, entry(feed.Sessions)); err != nil {
		t.Fatal(err)
	}
	if _, sessions, err = two.ReadSessions(ctx, []string{string(v.ID)}); err != nil || len(sessions) != 1 || sessions[0].Ended.IsZero() {
		t.Errorf("revived below another sign-in: %+v, %v", sessions, err)
	}
}
