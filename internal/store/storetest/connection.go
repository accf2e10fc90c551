package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/connection"
)

// connectionsRoundTrip keeps, renews, replaces and removes connections. Of two that renew one, one does.
func connectionsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s, other := db.Open(t, "one"), db.Open(t, "two")
	row := connection.Row{User: userID(1), App: "github", Login: "ada", Account: "42", Sealed: []byte("first"),
		Made: now(), Renewed: now(), Ends: now().Add(time.Hour), Version: 1}
	if _, found, err := s.Connection(ctx, row.User, row.App); found || err != nil {
		t.Fatal(found, err)
	}
	if err := s.PutConnection(ctx, row, audit.Event{Time: now(), Action: "connection:make"}); err != nil {
		t.Fatal(err)
	}
	for _, more := range []connection.Row{{User: row.User, App: "another", Version: 1}, {User: userID(2), App: "github", Version: 1}} {
		if err := s.PutConnection(ctx, more); err != nil {
			t.Fatal(err)
		}
	}
	got, found, err := other.Connection(ctx, row.User, row.App)
	if diff := cmp.Diff(row, got); !found || err != nil || diff != "" {
		t.Fatal(found, err, diff)
	}
	if list, err := other.Connections(ctx, row.User); err != nil || len(list) != 2 || list[1].App != "github" {
		t.Errorf("%v, %v", list, err)
	}
	renewed := row
	renewed.Sealed, renewed.Renewed, renewed.Ends, renewed.Broken = []byte("second"), now(), now().Add(2*time.Hour), "why"
	for i, one := range []interface {
		RenewConnection(ctx context.Context, row connection.Row) (bool, error)
	}{s, other} {
		if done, err := one.RenewConnection(ctx, renewed); err != nil || done != (i == 0) {
			t.Errorf("renewal %d: %v, %v", i, done, err)
		}
	}
	renewed.Version = 2
	if got, _, _ = s.Connection(ctx, row.User, row.App); !cmp.Equal(got, renewed) {
		t.Error(cmp.Diff(renewed, got))
	}
	if err := s.PutConnection(ctx, row); err != nil {
		t.Fatal(err)
	}
	if got, _, _ = s.Connection(ctx, row.User, row.App); got.Version != 3 || string(got.Sealed) != "first" || got.Broken != "" {
		t.Errorf("made anew: %+v", got)
	}
	for _, want := range []bool{true, false} {
		if found, err := other.DropConnection(ctx, row.User, row.App, audit.Event{Time: now(), Action: "connection:drop"}); found != want || err != nil {
			t.Errorf("removed: %v, %v", found, err)
		}
	}
	if list, err := s.Connections(ctx, row.User); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}
