package entrasim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// round follows a delta query to its end and gives all its objects and the next round's link.
func (w *world) round(link string, headers ...string) (objects []map[string]any, next string) {
	w.t.Helper()
	for {
		body := w.must("Lanyard", "GET", link, nil, headers...)
		objects = append(objects, values(w.t, body)...)
		if delta, ok := body["@odata.deltaLink"].(string); ok {
			return objects, delta
		}
		link = body["@odata.nextLink"].(string)
	}
}

// replica is what a client that follows the deltas knows: group → its direct members.
type replica map[string]map[string]bool

func (r replica) apply(objects []map[string]any) {
	for _, o := range objects {
		id := o["id"].(string)
		if o["@removed"] != nil {
			delete(r, id)
			continue
		}
		if r[id] == nil {
			r[id] = map[string]bool{}
		}
		list, _ := o["members@delta"].([]any)
		for _, m := range list {
			member := m.(map[string]any)
			if member["@removed"] != nil {
				delete(r[id], member["id"].(string))
			} else {
				r[id][member["id"].(string)] = true
			}
		}
	}
}

// differs says how the replica and the tenant differ, or nothing.
func (r replica) differs(w *world) string {
	groups := w.Groups()
	if len(groups) != len(r) {
		return fmt.Sprintf("%d groups instead of %d", len(r), len(groups))
	}
	for _, g := range groups {
		for _, m := range g.Members {
			if !r[g.ID][m] {
				return g.DisplayName + " lacks " + m
			}
		}
		if len(g.Members) != len(r[g.ID]) {
			return fmt.Sprintf("%s has %d members instead of %d", g.DisplayName, len(r[g.ID]), len(g.Members))
		}
	}
	return ""
}

func TestUsersDelta(t *testing.T) {
	w := newWorld(t, contoso())
	all, next := w.round("users/delta?$select=displayName,accountEnabled")
	if len(all) != len(w.Users()) || len(all[0]) != 3 {
		t.Fatalf("%d users, the first is %v", len(all), all[0])
	}
	if none, again := w.round(next); len(none) != 0 || again == "" {
		t.Errorf("without a change: %v", none)
	}
	w.SetEnabled("ada", false)
	made, err := w.CreateUser(User{UserPrincipalName: "nia", AccountEnabled: true})
	if err != nil {
		t.Fatal(err)
	}
	w.DeleteUser("leo")
	changed, next := w.round(next)
	seen := map[string]map[string]any{}
	for _, o := range changed {
		seen[o["id"].(string)] = o
	}
	if len(seen) != 3 || seen[AdaID]["accountEnabled"] != false || seen[made.ID]["displayName"] != "nia" {
		t.Errorf("changes: %v", changed)
	}
	if gone, _ := seen[LeoID]["@removed"].(map[string]any); gone["reason"] != "changed" {
		t.Errorf("leo: %v", seen[LeoID])
	}
	w.SetEnabled("ada", true)
	least, _ := w.round(next, "Prefer", "return=minimal")
	if len(least) != 1 || len(least[0]) != 2 || least[0]["accountEnabled"] != true {
		t.Errorf("minimal: %v", least)
	}
}

func TestGroupsDeltaFollowsMembership(t *testing.T) {
	w := newWorld(t, contoso())
	known := replica{}
	follow := func(link string) string {
		objects, next := w.round(link, "Prefer", "odata.maxpagesize=3")
		known.apply(objects)
		if d := known.differs(w); d != "" {
			t.Fatal(d)
		}
		return next
	}
	next := follow("groups/delta?$select=displayName,members")
	w.RemoveMember("payments-engineers", "ada")
	w.RemoveMember("payments-engineers", "payments-api-team") // a nested group
	next = follow(next)
	w.AddMember("payments-engineers", "ada")
	w.AddMember("payments-engineers", "payments-api-team")
	next = follow(next)
	w.DeleteUser("barbara")
	w.RenameGroup("shop-leads", "shop-heads")
	w.DeleteGroup("contractors")
	next = follow(next)
	made, err := w.CreateGroup(Group{DisplayName: "new", Members: []string{JoyID, PaymentsEngineersID}})
	if err != nil {
		t.Fatal(err)
	}
	next = follow(next)
	w.DeleteGroup(made.ID)
	follow(next)
}

// TestDeltaPagesWhileTheDirectoryChanges pages a large group, changes it between the pages, and
// asks that after the next round nothing is missing and nothing is left over.
func TestDeltaPagesWhileTheDirectoryChanges(t *testing.T) {
	org := contoso()
	big := Group{ID: newGUID(), DisplayName: "big"}
	for i := range 25 {
		u := person(newGUID(), fmt.Sprintf("extra%d", i), "Extra", fmt.Sprint(i), "", "")
		org.Users, big.Members = append(org.Users, u), append(big.Members, u.ID)
	}
	org.Groups = append(org.Groups, big)
	w := newWorld(t, org)
	known, link, pages := replica{}, "groups/delta?$expand=members", 0
	for {
		body := w.must("Lanyard", "GET", link, nil, "Prefer", "odata.maxpagesize=4")
		if n := len(values(t, body)); n > 4 {
			t.Fatalf("a page of %d objects", n)
		}
		known.apply(values(t, body))
		next, more := body["@odata.nextLink"].(string)
		if !more {
			link = body["@odata.deltaLink"].(string)
			break
		}
		link, pages = next, pages+1
		switch pages {
		case 1:
			w.RemoveMember("big", big.Members[0])
			w.RemoveMember("big", big.Members[20])
			w.CreateGroup(Group{ID: "00000000-1111-4000-8000-000000000000", DisplayName: "early", Members: []string{AdaID}})
		case 3:
			w.DeleteGroup("shop-engineers")
			w.AddMember("big", AdaID)
		}
	}
	if pages < 7 {
		t.Errorf("only %d pages", pages)
	}
	objects, _ := w.round(link)
	known.apply(objects)
	if d := known.differs(w); d != "" {
		t.Error(d)
	}
}

func TestDeltaTokens(t *testing.T) {
	w := newWorld(t, contoso())
	if now, _ := w.round("users/delta?$deltatoken=latest"); len(now) != 0 {
		t.Errorf("latest gave %d objects", len(now))
	}
	_, link := w.round("users/delta?$select=displayName")
	gone := func(what, link string) {
		t.Helper()
		status, body, header := w.call("Lanyard", "GET", link, nil)
		failed, _ := body["error"].(map[string]any)
		if status != http.StatusGone || failed["code"] != "SyncStateNotFound" || !strings.HasPrefix(header.Get("Location"), w.GraphURL()+"/users/delta?$deltatoken=") {
			t.Errorf("%s: %d %v %s", what, status, body, header.Get("Location"))
			return
		}
		if all, _ := w.round(header.Get("Location")); len(all) != len(w.Users()) {
			t.Errorf("%s: the way out gave %d users", what, len(all))
		}
	}
	gone("garbage", "users/delta?$deltatoken=garbage")
	w.ExpireDeltaTokens()
	gone("expired by hand", link)
	_, link = w.round("users/delta")
	w.clock.Add(deltaLife * 2)
	gone("a fortnight old", link)
	if status, body, _ := w.call("Lanyard", "GET", "users/delta?$select=shoeSize", nil); status != http.StatusBadRequest {
		t.Errorf("an unknown property: %d %v", status, body)
	}
}

func TestDeltaWithoutMembers(t *testing.T) {
	w := newWorld(t, contoso())
	objects, next := w.round("groups/delta?$select=displayName")
	if slices.ContainsFunc(objects, func(o map[string]any) bool { return o["members@delta"] != nil }) {
		t.Error("members came without being asked for")
	}
	w.RemoveMember("payments-engineers", "ada")
	if objects, _ := w.round(next); len(objects) != 0 {
		t.Errorf("a change of members: %v", objects)
	}
}
