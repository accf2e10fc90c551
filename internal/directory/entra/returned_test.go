package entra_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bin deletes a user or group so that it can be restored; its groups say that it left.
func (f *fakeGraph) bin(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.users[id]; u != nil {
		u.deleted = true
		f.say("users", id, gone(id, "changed"))
	} else {
		f.groups[id].deleted = true
		f.say("groups", id, gone(id, "changed"))
	}
	for g, of := range f.groups {
		if of.members[id] && !of.deleted {
			f.say("groups", g, f.members(g, id, true))
		}
	}
}

// restore brings it back with its memberships, of which nothing is said.
func (f *fakeGraph) restore(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.users[id]; u != nil {
		u.deleted = false
		f.say("users", id, f.userItem(id))
	} else {
		f.groups[id].deleted = false
		f.say("groups", id, f.groupItem(id))
	}
}

// twoInAGroup has the users u0 and u1 in the group g0, and nobody else.
func twoInAGroup(f *fakeGraph) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups["g0"] = &fakeGroup{born: time.Now(), members: map[string]bool{"u0": true, "u1": true}}
	for _, id := range []string{"u0", "u1"} {
		f.users[id] = &fakeUser{born: time.Now(), enabled: true}
		f.say("users", id, f.userItem(id))
	}
	f.say("groups", "g0", f.members("g0", "u0", false))
	f.say("groups", "g0", f.members("g0", "u1", false))
}

func agree(t *testing.T, f *fakeGraph, h *house) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("-tenant +directory:\n%s\n%s", cmp.Diff(f.rights(), h.rights()), h.log)
		}
	}()
	eventually(t, "agreement with the tenant", func() bool { return cmp.Equal(f.rights(), h.rights()) })
}

// TestRestored: what comes out of the bin has its memberships again, whatever happens between: though it was in the bin
// before anything was read, after a restart, while groups are being read because of another, when a page does not come.
func TestRestored(t *testing.T) {
	for name, play := range map[string]func(t *testing.T, f *fakeGraph, again func() *house) *house{
		"in the bin when everything was read, a user": func(_ *testing.T, f *fakeGraph, again func() *house) *house {
			f.bin("u0")
			h := again()
			f.restore("u0")
			return h
		},
		"in the bin when everything was read, a group": func(_ *testing.T, f *fakeGraph, again func() *house) *house {
			f.bin("g0")
			h := again()
			f.restore("g0")
			return h
		},
		"after a restart": func(t *testing.T, f *fakeGraph, again func() *house) *house {
			h := again()
			f.bin("u0")
			agree(t, f, h)
			h.stop()
			h = again()
			f.restore("u0")
			return h
		},
		"when a page does not come": func(t *testing.T, f *fakeGraph, again func() *house) *house {
			h := again()
			f.bin("u0")
			agree(t, f, h)
			f.mu.Lock()
			failing := 0
			f.fault = func(r *http.Request) http.HandlerFunc { // every page after the first of a round, for a while
				if r.URL.Path == "/v1.0/users/delta" && r.URL.Query().Get("$skiptoken") != "" && failing < 3 {
					failing++
					return status(500, "", "")
				}
				return nil
			}
			f.mu.Unlock()
			f.restore("u0")
			for range 40 {
				f.shake()
			}
			return h
		},
		"while groups are read because of another": func(t *testing.T, f *fakeGraph, again func() *house) *house {
			h := again()
			f.bin("u0")
			f.bin("u1")
			agree(t, f, h)
			asked, on := make(chan struct{}), make(chan struct{})
			var held atomic.Bool
			f.mu.Lock()
			f.fault = func(r *http.Request) http.HandlerFunc { // of the reading of all groups, the answer after the pages were made
				if r.URL.Path != "/v1.0/groups/delta" || r.URL.Query().Has("$deltatoken") || r.URL.Query().Has("$skiptoken") || held.Swap(true) {
					return nil
				}
				return func(w http.ResponseWriter, r *http.Request) {
					f.fault = nil
					w.Header().Set("Content-Type", "application/json")
					f.delta(w, r, "groups")
					close(asked)
					f.mu.Unlock()
					defer f.mu.Lock()
					<-on
				}
			}
			f.mu.Unlock()
			f.restore("u0")
			<-asked
			f.restore("u1")
			eventually(t, "the second is back", func() bool { return h.enabled("u1") })
			f.mu.Lock()
			delete(f.groups["g0"].members, "u1") // the delta goes on meanwhile
			f.groups["g1"] = &fakeGroup{born: time.Now(), members: map[string]bool{"u1": true}}
			f.say("groups", "g1", f.members("g1", "u1", false))
			f.mu.Unlock()
			eventually(t, "what changed meanwhile", func() bool { return h.in("u1", "g1") })
			f.mu.Lock()
			f.groups["g0"].members["u1"] = true
			f.mu.Unlock()
			close(on)
			return h
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, config := newFakeGraph(t, 5)
			twoInAGroup(f)
			config.Sweep = 10 * time.Millisecond
			kept := newRows()
			agree(t, f, play(t, f, func() *house {
				h := open(t, kept, config)
				h.ready(t)
				return h
			}))
		})
	}
}
