package signedin_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/signedin"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

var (
	ada   = identity.UserID{Tenant: tenant, Object: "67224801-dc28-4774-a21b-13838a428c41"}
	one   = identity.GroupID{Tenant: tenant, Object: "5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a11"}
	two   = identity.GroupID{Tenant: tenant, Object: "5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a12"}
	leads = identity.AppRole(tenant, "Payments.Lead")
)

// rows stores nothing.
type rows struct{}

func (rows) LoadDirectory(context.Context) (c directory.Change, _ map[string]string, asOf time.Time, _ feed.Seq, _ error) {
	return c, nil, asOf, 0, nil
}
func (rows) SaveDirectory(context.Context, directory.Change, feed.Entry, ...audit.Event) (feed.Seq, error) {
	return 1, nil
}

// world is a directory of sign-ins whose tenant a test speaks for.
type world struct {
	*signedin.Source
	d     *directory.Directory
	now   time.Time
	said  signedin.Sighting
	err   error
	graph []identity.GroupID
}

func newWorld(t *testing.T) *world {
	w := &world{now: time.Now(), said: signedin.Sighting{User: ada, Name: "Ada"}}
	w.d = directory.New(directory.Config{Rows: rows{}, Publish: func(*directory.Snapshot, directory.Touched, feed.Seq) {}})
	t.Cleanup(w.d.Close)
	if err := w.d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Source = signedin.New(signedin.Config{
		Tenant: tenant, Directory: w.d, Sweep: time.Hour, Trust: 5 * time.Minute, Log: slog.New(slog.DiscardHandler),
		Now:     func() time.Time { return w.now },
		SignIns: func() map[identity.UserID]identity.SignInID { return map[identity.UserID]identity.SignInID{ada: "i-a"} },
		Again:   func(context.Context, identity.SignInID) (signedin.Sighting, error) { return w.said, w.err },
		Groups: func(_ context.Context, token string) ([]identity.GroupID, error) {
			if token != "ada's" {
				return nil, errors.New("whose token is that?")
			}
			return w.graph, nil
		},
	})
	return w
}

func (w *world) groups() []identity.GroupID {
	return slices.Clone(w.d.Snapshot().Groups(ada))
}

func TestTheTokenSaysAllThereIs(t *testing.T) {
	w := newWorld(t)
	see := func(groups, roles []string, want ...identity.GroupID) {
		t.Helper()
		w.said.Groups, w.said.Roles = groups, roles
		if err := w.Seen(t.Context(), w.said); err != nil || !slices.Equal(w.groups(), want) {
			t.Errorf("%v %v gives %v, %v", groups, roles, w.groups(), err)
		}
	}
	see([]string{one.Object, two.Object}, []string{"Payments.Lead"}, one, two, leads)
	see([]string{two.Object}, nil, two)
	// Names are no groups, and no group is an app role.
	see([]string{"payments-engineers", "app-role:Payments.Lead", "", one.Object + "\x00"}, []string{"", "a b", "x\ny"})
	see([]string{"5C0D1B3E-0A5C-4D0E-9D6F-2F0F6F1F7A11"}, []string{"Payments.Lead"}, one, leads)
	u, _ := w.d.Snapshot().User(ada)
	if u == nil || u.Name != "Ada" || !u.Active() {
		t.Errorf("the record is %+v", u)
	}
	w.said.User.Tenant = "another"
	if w.Seen(t.Context(), w.said) == nil {
		t.Error("a person of another tenant")
	}
}

func TestOverageAsksGraphAndNeverGuesses(t *testing.T) {
	w := newWorld(t)
	w.said.More, w.said.Groups = true, nil
	w.said.Token = func(context.Context) (string, error) { return "ada's", nil }
	w.graph = []identity.GroupID{one, two}
	if err := w.Seen(t.Context(), w.said); err != nil || len(w.groups()) != 2 {
		t.Errorf("%v, %v", w.groups(), err)
	}
	w.said.Token = func(context.Context) (string, error) { return "", errors.New("no") }
	if err := w.Seen(t.Context(), w.said); err == nil || len(w.groups()) != 2 {
		t.Errorf("without a token: %v, %v", w.groups(), err)
	}
}

func TestWhoCannotBeReadAgainLosesTheirGroups(t *testing.T) {
	w := newWorld(t)
	w.said.Groups = []string{one.Object}
	if err := w.Reread(t.Context()); err != nil || len(w.groups()) != 1 || !w.d.Snapshot().AsOf().Equal(w.now) {
		t.Fatalf("%v, %v", w.groups(), err)
	}
	w.said.Groups = nil
	if err := w.Reread(t.Context()); err != nil || len(w.groups()) != 0 {
		t.Errorf("what the tenant took is still there: %v, %v", w.groups(), err)
	}
	w.said.Groups = []string{one.Object}
	if err := w.Reread(t.Context()); err != nil || len(w.groups()) != 1 {
		t.Fatal(w.groups(), err)
	}
	good := w.now
	w.err = errors.New("the tenant is down")
	w.now = good.Add(time.Minute)
	if err := w.Reread(t.Context()); err == nil || len(w.groups()) != 1 || !w.d.Snapshot().AsOf().Equal(good) {
		t.Errorf("a tenant that is down: %v, as of %v, %v", w.groups(), w.d.Snapshot().AsOf(), err)
	}
	w.now = good.Add(7 * time.Minute)
	if err := w.Reread(t.Context()); err == nil || len(w.groups()) != 0 {
		t.Errorf("nobody could read it for long: %v, %v", w.groups(), err)
	}
	w.err = signedin.ErrEnded
	if err := w.Reread(t.Context()); err != nil || !w.d.Snapshot().AsOf().Equal(w.now) {
		t.Errorf("an end is an answer: %v", err)
	}
	w.err = nil
	if err := w.Reread(t.Context()); err != nil || len(w.groups()) != 1 {
		t.Errorf("the tenant is back: %v, %v", w.groups(), err)
	}
}
