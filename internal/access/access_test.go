package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDecide(t *testing.T) {
	w := newWorld(t)
	own := person(ada)
	inWorkspace := own
	inWorkspace.Workspace, inWorkspace.Project = "w-aaaaaaaaaaaaaaaa", "p-bbbbbbbbbbbbbbbb"
	borrowed := own
	borrowed.User = barbara // barbara's name on ada's session
	for _, c := range []struct {
		name   string
		r      Request
		effect Effect
		code   Code
		says   string
	}{
		{"a developer pushes", write(ada), Allow, "", "developer through payments-engineers"},
		{"through a nested group", write(barbara), Allow, "", "developer through payments-engineers"},
		{"a viewer reads", read(linus), Allow, "", "viewer through payments-viewers"},
		{"a viewer cannot push", write(linus), Deny, NotPermitted,
			"repo:write needs the role developer in project payments; Linus Torvalds is viewer through payments-viewers"},
		{"a stranger", read(mallory), Deny, NoRole, "Mallory has no role in project payments"},
		{"nobody", Request{Action: identity.RepoRead, Resource: repo}, Deny, NotSignedIn, "nobody is signed in"},
		{"another project's workspace", Request{Principal: inWorkspace, Action: identity.RepoRead, Resource: repo}, Deny, OutsideProject, "its own project"},
		{"somebody else's session", Request{Principal: borrowed, Action: identity.RepoRead, Resource: repo}, Deny, SessionEnded, "somebody else"},
		{"an unknown action", Request{Principal: own, Action: "repo:burn", Resource: repo}, Deny, PolicyError, "could not be evaluated"},
		{"the operator inside a workspace", Request{Principal: identity.Principal{Kind: identity.Operator}, Action: identity.WorkspaceOpen,
			Resource: identity.Resource{Kind: identity.KindWorkspace, Name: "w-aaaaaaaaaaaaaaaa", Project: projectID, Owner: ada}}, Deny, NotPermitted, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(w.engine.Facts(), c.r, w.now())
			if d.Effect != c.effect || d.Code != c.code || !strings.Contains(strings.Join(d.Reasons, "; "), c.says) {
				t.Errorf("%s, code %q, reasons %q", d.Effect, d.Code, d.Reasons)
			}
		})
	}
}

func TestStrangerCannotTellAbsentFromForbidden(t *testing.T) {
	w := newWorld(t)
	_, _, forbidden := w.engine.Open(t.Context(), read(mallory), nil)
	absent := problem.New(problem.NotFound, "%s", NotHere(identity.KindRepo, repo.Name))
	if problem.Message(forbidden) != problem.Message(absent) || problem.KindOf(forbidden) != problem.KindOf(absent) {
		t.Errorf("forbidden: %v\nabsent: %v", forbidden, absent)
	}
}

// closer records that it was closed.
type closer struct {
	once   sync.Once
	closed chan struct{}
}

func newCloser() *closer { return &closer{closed: make(chan struct{})} }

func (c *closer) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

var _ io.Closer = (*closer)(nil)

// Every change that takes a fact away closes the lease that needs it, with the reason in words, and the same request
// opens again when the fact is back.
func TestCut(t *testing.T) {
	for _, c := range []struct {
		name       string
		who        identity.UserID
		take, give func(*world)
		says       string
	}{
		{"group", ada,
			func(w *world) { w.change(membership(engineers, directory.Member{User: ada}, true)) },
			func(w *world) { w.change(membership(engineers, directory.Member{User: ada}, false)) },
			"you are no longer in the group payments-engineers, which gave you the role developer in project payments"},
		{"nested group", barbara,
			func(w *world) { w.change(membership(engineers, directory.Member{Group: apiTeam}, true)) },
			func(w *world) { w.change(membership(engineers, directory.Member{Group: apiTeam}, false)) },
			"you are no longer in the group payments-engineers"},
		{"member of a nested group", barbara,
			func(w *world) { w.change(membership(apiTeam, directory.Member{User: barbara}, true)) },
			func(w *world) { w.change(membership(apiTeam, directory.Member{User: barbara}, false)) },
			"you are no longer in the group payments-engineers"},
		{"disabled account", ada,
			func(w *world) { w.change(disabled(ada)) },
			func(w *world) {
				w.change(directory.Change{Users: []directory.User{{ID: ada, Name: "Ada Lovelace", Enabled: true}}})
			},
			"the account is disabled"},
		{"deleted account", ada,
			func(w *world) { w.change(directory.Change{GoneUsers: []identity.UserID{ada}}) },
			func(w *world) {
				w.change(directory.Change{Users: []directory.User{{ID: ada, Name: "Ada Lovelace", Enabled: true}},
					Members: []directory.Membership{{Group: engineers, Member: directory.Member{User: ada}}}})
			},
			"not in the directory"},
		{"project file", ada,
			func(w *world) {
				gone := w.projects(strings.Replace(payments, `["00000000-0000-4000-9000-000000000001"]`, `["00000000-0000-4000-9000-000000000009"]`, 1))
				w.engine.Publish(func(f Facts) Facts { f.Projects = gone; return f }, Touched{All: true})
			},
			func(w *world) {
				back := w.projects(payments)
				w.engine.Publish(func(f Facts) Facts { f.Projects = back; return f }, Touched{All: true})
			},
			"project payments no longer gives the role developer to the group payments-engineers"},
		{"policy", ada,
			func(w *world) { w.forbid() },
			func(w *world) {
				set, err := policy.Parse(policy.Source{Tenant: tenant})
				if err != nil {
					t.Fatal(err)
				}
				w.engine.Publish(func(f Facts) Facts { f.Policies = set; return f }, Touched{All: true})
			},
			"forbidden by policy no-pushes"},
		{"sign-in ended", ada,
			func(w *world) { w.end(ada, "you signed out") },
			func(w *world) {
				set := w.sessions()
				w.engine.Publish(func(f Facts) Facts { f.Sessions = set; return f }, Touched{Users: []identity.UserID{ada}})
			},
			"you signed out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			bystander := linus
			_, other := w.open(read(bystander), nil)
			defer other.End()
			said := make(chan Reason, 1)
			ctx, l := w.open(write(c.who), func(r Reason) { said <- r })
			conn := newCloser()
			l.Hold(conn)
			c.take(w)
			// Publish has returned, so the lease is cut by now: nothing is left to wait for but the goodbye.
			if ctx.Err() == nil {
				t.Fatal("the change was published and the lease goes on")
			}
			var cause Reason
			if !errors.As(context.Cause(ctx), &cause) || !strings.Contains(cause.Text, c.says) {
				t.Errorf("cause: %v; want %q", context.Cause(ctx), c.says)
			}
			if r := waitCut(t, l); r != cause {
				t.Errorf("the lease's reason is %v, its context's %v", r, cause)
			}
			if r := <-said; r != cause {
				t.Errorf("the goodbye's reason: %v", r)
			}
			<-conn.closed
			if err := l.Ask(identity.RepoWrite, repo); problem.KindOf(err) != problem.Denied {
				t.Errorf("a cut lease answered Ask with %v", err)
			}
			if _, _, err := w.engine.Open(t.Context(), write(c.who), nil); err == nil {
				t.Error("opened again without the fact")
			}
			if r := other.Reason(); !r.IsZero() {
				t.Errorf("a bystander was cut: %v", r)
			}
			c.give(w)
			_, again := w.open(write(c.who), nil)
			again.End()
			if ended := w.engine.Ended(); len(ended) != 1 || ended[0].Reason != cause || ended[0].ID != l.ID {
				t.Errorf("ended: %+v", ended)
			}
		})
	}
}

// What is hidden from strangers is told to who had it open when it was cut: the protocol may have had no way to say it.
func TestTheNextAnswerTellsWhatWasCut(t *testing.T) {
	w := newWorld(t)
	goodbye := make(chan struct{})
	_, l := w.open(write(ada), func(Reason) { <-goodbye })
	w.change(membership(engineers, directory.Member{User: ada}, true))
	_, _, err := w.engine.Open(t.Context(), write(ada), nil) // the peer may be back before the goodbye is over
	close(goodbye)
	reason := waitCut(t, l)
	if problem.KindOf(err) != problem.Denied || !strings.Contains(problem.Message(err), reason.Text) {
		t.Errorf("who was cut is answered %v", err)
	}
	if _, _, err := w.engine.Open(t.Context(), write(mallory), nil); problem.KindOf(err) != problem.NotFound {
		t.Errorf("a stranger is answered %v", err)
	}
	other := write(ada)
	other.Resource.Name = "https://git.example.test/payments/other"
	if _, _, err := w.engine.Open(t.Context(), other, nil); problem.KindOf(err) != problem.NotFound {
		t.Errorf("about something that was not open the answer is %v", err)
	}
}

func (w *world) forbid() {
	set, err := policy.Parse(policy.Source{Tenant: tenant, Files: []policy.File{{Name: "no.cedar",
		Text: `@id("no-pushes") forbid (principal, action == Action::"repo:write", resource);`}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine.Publish(func(f Facts) Facts { f.Policies = set; return f }, Touched{All: true})
}

func (w *world) end(u identity.UserID, why string) {
	f := w.engine.Facts()
	row, _ := f.Sessions.SignIn(signInOf(u))
	ended := *row
	ended.Ended, ended.EndedWhy = w.now(), why
	next := f.Sessions.With([]session.SignIn{ended}, nil)
	w.engine.Publish(func(f Facts) Facts { f.Sessions = next; return f }, Touched{Users: []identity.UserID{u}})
}

// A change is forced in between any two steps of Open. Whatever the step, no usable lease comes out that the new
// facts deny: either Open refuses, or the lease it returns is cut when the change's publication returns.
func TestNoLeaseSurvivesAFactItNeeds(t *testing.T) {
	for _, step := range []string{"inserted", "decided", "settled", "recorded"} {
		for _, durable := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/durable=%t", step, durable), func(t *testing.T) {
				w := newWorld(t)
				w.engine.step = func(at string) {
					if at == step {
						w.engine.step = nil
						w.change(membership(engineers, directory.Member{User: ada}, true))
					}
				}
				r := write(ada)
				r.Durable = durable
				byes := make(chan Reason, 1)
				ctx, l, err := w.engine.Open(t.Context(), r, func(r Reason) { byes <- r })
				if err == nil {
					if ctx.Err() == nil {
						t.Fatal("a usable lease outlived the change")
					}
					waitCut(t, l)
				} else if problem.KindOf(err) == problem.Internal {
					t.Errorf("refused without words: %v", err)
				}
				if n := len(w.engine.LeasesOf(ada)); n != 0 {
					t.Errorf("%d leases are left", n)
				}
				if err != nil && len(byes) > 0 {
					t.Error("a goodbye for a lease that nobody got")
				}
			})
		}
	}
}

// Many open and many change at once, at random; in the end only what the last facts allow is open.
func TestRandomSchedules(t *testing.T) {
	w := newWorld(t)
	var opening, changing sync.WaitGroup
	stop := make(chan struct{})
	users := []identity.UserID{ada, barbara, linus}
	var mu sync.Mutex
	var held []*Lease
	for i := range 8 {
		opening.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, l, err := w.engine.Open(context.Background(), read(users[rng.IntN(len(users))]), nil)
				if err != nil {
					continue
				}
				if rng.IntN(4) > 0 {
					l.End()
					continue
				}
				mu.Lock()
				held = append(held, l)
				mu.Unlock()
			}
		})
	}
	changing.Go(func() {
		rng := rand.New(rand.NewPCG(7, 7))
		for range 300 {
			removed := rng.IntN(2) == 0
			switch rng.IntN(3) {
			case 0:
				w.change(membership(engineers, directory.Member{User: ada}, removed))
			case 1:
				w.change(membership(engineers, directory.Member{Group: apiTeam}, removed))
			default:
				w.change(membership(viewers, directory.Member{User: linus}, removed))
			}
		}
		w.change(membership(engineers, directory.Member{User: ada}, true))
		w.change(membership(engineers, directory.Member{Group: apiTeam}, true))
		w.change(membership(viewers, directory.Member{User: linus}, true))
	})
	changing.Wait()
	// Everybody has lost everything, and the opening goes on: nothing may come through. What its holder ended may still
	// be on its way out of the index.
	for l := range w.engine.Leases {
		l.mu.Lock()
		closed := l.closed
		l.mu.Unlock()
		if d := l.Decision(); d.Effect == Allow && !closed {
			t.Errorf("lease %s of %s is open on a fact that is gone", l.ID, l.Request.Principal.User)
		}
	}
	close(stop)
	opening.Wait()
	for _, l := range held {
		l.mu.Lock()
		closed := l.closed
		l.mu.Unlock()
		if !closed {
			t.Errorf("lease %s is still open", l.ID)
		}
		if !l.Reason().IsZero() {
			waitCut(t, l)
		}
	}
	if n := w.engine.Defects(); n != 0 {
		t.Errorf("%d leases were only closed by the recheck", n)
	}
}

func TestTimeIsAFact(t *testing.T) {
	w := newWorld(t)
	_, l := w.open(read(ada), nil)
	w.pass(6 * time.Minute) // older than Stale: nothing new, what is open stays
	w.engine.sweep()
	if _, _, err := w.engine.Open(t.Context(), read(ada), nil); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("a stale directory let somebody in: %v", err)
	}
	if r := l.Reason(); !r.IsZero() {
		t.Fatalf("cut too early: %v", r)
	}
	w.change(directory.Change{AsOf: w.now()}) // the directory was read again: the lease has more time
	w.pass(14 * time.Minute)
	w.engine.sweep()
	if r := l.Reason(); !r.IsZero() {
		t.Fatalf("cut in spite of the fresh directory: %v", r)
	}
	w.pass(2 * time.Minute)
	w.engine.sweep()
	if r := waitCut(t, l); r.Code != StaleDirectory {
		t.Errorf("reason: %v", r)
	}
	if n := w.engine.Defects(); n != 0 {
		t.Errorf("%d defects: Until did not say when", n)
	}
	w.change(directory.Change{AsOf: w.now()})
	_, l = w.open(read(ada), nil)
	for range 50 { // the sign-in's lifetime, with the directory kept fresh
		w.pass(14 * time.Minute)
		w.change(directory.Change{AsOf: w.now()})
		w.engine.sweep()
	}
	if r := waitCut(t, l); r.Code != SessionEnded {
		t.Errorf("reason: %v", r)
	}
}

// A peer that does not let the goodbye finish cannot keep the connection open.
func TestGoodbyeIsBounded(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	_, l := w.open(read(ada), func(Reason) { <-release })
	conn := newCloser()
	l.Hold(conn)
	w.change(disabled(ada))
	<-conn.closed
	close(release)
	late := newCloser()
	l.Hold(late) // what comes after the cut is closed at once
	<-late.closed
}

// What is handed over while the goodbye is said is left open for it: it may be what the goodbye is said on.
func TestHeldDuringTheGoodbye(t *testing.T) {
	w := newWorld(t)
	begun, handed, open := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
	conn := newCloser()
	_, l := w.open(read(ada), func(Reason) {
		close(begun)
		<-handed
		select {
		case <-conn.closed:
			open <- false
		default:
			open <- true
		}
	})
	w.change(disabled(ada))
	<-begun
	since := time.Now()
	l.Hold(conn)
	close(handed)
	if !<-open && time.Since(since) < Goodbye/2 {
		t.Error("it was closed before the goodbye was said")
	}
	<-conn.closed
}

func TestDurableOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	w.audit.fail = errors.New("no space left on device")
	r := write(ada)
	r.Durable = true
	if _, _, err := w.engine.Open(t.Context(), r, nil); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("a push without an audit entry: %v", err)
	}
	_, l := w.open(read(ada), nil) // reading goes on
	w.change(disabled(ada))        // and so does closing
	waitCut(t, l)
	if n := len(w.engine.LeasesOf(ada)); n != 0 {
		t.Errorf("%d leases are left", n)
	}
}

func TestVisits(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		_, l := w.open(read(ada), nil)
		l.Count(100)
		l.End()
	}
	if n := len(w.audit.all()); n != 1 {
		t.Fatalf("%d events for one visit", n)
	}
	w.pass(visitGap)
	w.engine.visits.flush(false)
	events := w.audit.all()
	if len(events) != 2 || events[1].Detail["leases"] != int64(3) || events[1].Detail["bytes"] != int64(300) {
		t.Errorf("%v", events)
	}
	for range 5 {
		_, _, err := w.engine.Open(t.Context(), read(mallory), nil)
		if err == nil {
			t.Fatal("a stranger reads")
		}
	}
	w.pass(denialGap)
	w.engine.denials.flush(false)
	events = w.audit.all()[2:]
	if len(events) != 2 || events[1].Detail["repeated"] != int64(4) {
		t.Errorf("denials: %v", events)
	}
}

func TestRevokeOne(t *testing.T) {
	w := newWorld(t)
	_, l := w.open(read(ada), nil)
	_, other := w.open(read(ada), nil)
	defer other.End()
	if !w.engine.Revoke(l.ID, Reason{Revoked, "an administrator ended it"}) {
		t.Fatal("not found")
	}
	if r := waitCut(t, l); r.Code != Revoked {
		t.Errorf("reason: %v", r)
	}
	if !other.Reason().IsZero() {
		t.Error("another lease was cut too")
	}
	if w.engine.Revoke(l.ID, Reason{Revoked, "again"}) {
		t.Error("revoked twice")
	}
}
