package provision_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

func (w *world) active(object string) bool {
	u, ok := w.directory.Snapshot().User(userID(object))
	return ok && u.Active()
}

func (w *world) in(user, group string) bool {
	return w.directory.Snapshot().InGroup(userID(user), groupID(group))
}

func people(objects ...string) directory.Change {
	var c directory.Change
	for _, o := range objects {
		c.Users = append(c.Users, directory.User{ID: userID(o), Name: o, Enabled: true})
	}
	return c
}

func setActive(value any) object {
	return patchOf(object{"op": "Replace", "path": "active", "value": value})
}

func TestDisabling(t *testing.T) { onBoth(t, disabling) }

// disabling follows people whom Graph has enabled through what the provisioning service says of them. Each answer comes
// when what it says is in force.
func disabling(t *testing.T, db storetest.Database) {
	w := newWorld(t, db)
	w.graph(people(ada, bo))
	id := w.user("ada", strings.ToUpper(ada)) // GUIDs are the same however they are written
	stray := w.user("bo", "bo@contoso.example")
	path := "/scim/v2/Users/" + id
	step := func(what string, want bool) {
		t.Helper()
		if w.active(ada) != want || !w.active(bo) {
			t.Errorf("%s: Ada is active %v, Bo %v", what, w.active(ada), w.active(bo))
		}
	}
	step("made", true)
	for _, value := range []any{"False", false} {
		w.want(200, "PATCH", path, setActive(value))
		step(fmt.Sprintf("disabled by %#v", value), false)
		w.want(200, "PATCH", path, setActive(map[any]any{"False": "True", false: true}[value]))
		step("enabled", true)
	}
	w.want(200, "PATCH", path, patchOf(object{"op": "replace", "value": object{"active": false}}))
	step("disabled without a path", false)
	w.want(200, "PATCH", path, patchOf(object{"op": "remove", "path": "active"}))
	step("a removed active enables nobody", false)
	w.want(200, "PUT", path, object{"userName": "ada", "externalId": ada})
	step("a PUT that does not say so enables nobody", false)
	w.want(200, "PATCH", path, setActive(true))
	step("enabled", true)
	w.want(200, "PATCH", "/scim/v2/Users/"+stray, setActive(false))
	step("who has no object ID is nobody", true)
	w.want(200, "PATCH", path, patchOf(object{"op": "replace", "path": "active", "value": false}, object{"op": "replace", "path": "externalId", "value": "else"}))
	step("the mapping was changed", true)
	w.want(200, "PATCH", path, patchOf(object{"op": "replace", "path": "externalId", "value": ada}))
	step("and back", false)
	w.want(200, "PATCH", path, setActive(true))
	w.want(204, "DELETE", path, nil)
	step("deleted", false)
	if f := w.findings(); !strings.Contains(f, "1 users were deleted") || !strings.Contains(f, `bo: "bo@contoso.example"`) || !strings.Contains(f, "map objectId to externalId") {
		t.Errorf("findings: %s", f)
	}
	id = w.user("ada", ada)
	step("provisioned again", true)
	w.want(204, "DELETE", "/scim/v2/Users/"+id, nil)
	step("deleted again", false)
	if err := w.service.Forget(t.Context(), ada, "operator"); err != nil {
		t.Fatal(err)
	}
	step("forgotten", true)
	if err := w.service.Forget(t.Context(), ada, "operator"); err == nil {
		t.Error("forgotten twice")
	}
}

func (w *world) findings() (all string) {
	w.t.Helper()
	list, err := w.service.Findings(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range list {
		all += f.Text + "\n"
	}
	return all
}

func TestMemberships(t *testing.T) { onBoth(t, memberships) }

// memberships lets SCIM be the source of groups, members and app roles.
func memberships(t *testing.T, db storetest.Database) {
	w := newWorld(t, db, members)
	w.graph(people(ada, bo))
	first, second := w.user("ada", ada), w.user("bo", bo)
	g := w.group("Payments", strings.ToUpper(payments))
	path := "/scim/v2/Groups/" + g
	member := func(op string, ids ...string) object {
		value := []object{}
		for _, id := range ids {
			value = append(value, object{"value": id})
		}
		return patchOf(object{"op": op, "path": "members", "value": value})
	}
	is := func(what string, adaIn, boIn bool) {
		t.Helper()
		if w.in(ada, payments) != adaIn || w.in(bo, payments) != boIn {
			t.Errorf("%s: Ada in it %v, Bo %v", what, w.in(ada, payments), w.in(bo, payments))
		}
	}
	is("made", false, false)
	if found := w.directory.Snapshot().AssignedGroups("Payments"); len(found) != 1 || found[0].ID != groupID(payments) {
		t.Errorf("a configuration finds %v", found)
	}
	w.want(204, "PATCH", path, member("Add", first, second))
	is("added", true, true)
	w.want(204, "PATCH", path, member("Remove", second))
	is("one removed", true, false)
	w.want(200, "PATCH", "/scim/v2/Users/"+first, setActive("False"))
	if is("disabled", true, false); w.active(ada) {
		t.Error("Ada is active")
	}
	w.want(200, "PATCH", "/scim/v2/Users/"+first, setActive("True"))
	if is("restored without members sent again", true, false); !w.active(ada) {
		t.Error("Ada is not active")
	}
	w.want(204, "PATCH", path, patchOf(object{"op": "replace", "path": "externalId", "value": "else"}))
	is("the group's mapping was changed", false, false)
	w.want(204, "PATCH", path, patchOf(object{"op": "replace", "path": "externalId", "value": payments}))
	is("and back", true, false)
	w.want(200, "PATCH", "/scim/v2/Users/"+first, patchOf(object{"op": "replace", "path": "externalId", "value": "else"}))
	is("the user's mapping was changed", false, false)
	w.want(200, "PATCH", "/scim/v2/Users/"+first, patchOf(object{"op": "replace", "path": "externalId", "value": ada}))
	is("and back", true, false)

	lead := identity.AppRole(tenant, "Payments.Lead")
	w.want(200, "PATCH", "/scim/v2/Users/"+second, patchOf(object{"op": "Add", "path": "roles", "value": []object{{"value": `{"id":"1","value":"Payments.Lead","displayName":"Lead"}`}}}))
	if !w.directory.Snapshot().InGroup(userID(bo), lead) {
		t.Errorf("Bo holds no app role: %v", w.directory.Snapshot().Groups(userID(bo)))
	}
	w.want(200, "PATCH", "/scim/v2/Users/"+second, patchOf(object{"op": "replace", "path": "roles", "value": []object{}}))
	if w.directory.Snapshot().InGroup(userID(bo), lead) {
		t.Error("Bo still holds the app role")
	}

	inner := w.group("Inner", "0b0b0b0b-0000-4000-8000-000000000002")
	w.want(204, "PATCH", path, member("Add", inner))
	w.want(204, "PATCH", "/scim/v2/Groups/"+inner, member("Add", second))
	is("through a group", true, true)
	w.want(204, "DELETE", "/scim/v2/Groups/"+inner, nil)
	is("the inner group is gone", true, false)
	w.want(204, "DELETE", "/scim/v2/Users/"+first, nil)
	if is("deleted", false, false); w.active(ada) {
		t.Error("who was deleted is active")
	}
	w.want(204, "DELETE", path, nil)
	if _, there := w.directory.Snapshot().Group(groupID(payments)); there {
		t.Error("the group is still there")
	}
}

// Where nothing else says who there is, SCIM does.
func TestUsersFromSCIM(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), members, func(c *provision.Config) { c.Users = true })
	id := w.user("ada@contoso.example", ada)
	u, ok := w.directory.Snapshot().User(userID(ada))
	if !ok || !u.Active() || u.UserName != "ada@contoso.example" || u.Name != "ADA@CONTOSO.EXAMPLE" {
		t.Fatalf("%+v", u)
	}
	eventually(t, "the directory has an age", func() bool { return !w.directory.Snapshot().AsOf().IsZero() })
	w.want(200, "PATCH", "/scim/v2/Users/"+id, setActive(false))
	if w.active(ada) {
		t.Error("disabled and active")
	}
	w.want(204, "DELETE", "/scim/v2/Users/"+id, nil)
	if _, ok := w.directory.Snapshot().User(userID(ada)); ok {
		t.Error("deleted and there")
	}
}

func TestRepair(t *testing.T) { onBoth(t, repair) }

// repair lets a server be killed between the storing of what was said and its taking effect, and another one take over:
// what is in force is then what was said, in both directions. Requests go to a replica that does not lead.
func repair(t *testing.T, db storetest.Database) {
	w := newWorld(t, db, members)
	w.graph(people(ada, bo))
	first, second := w.user("ada", ada), w.user("bo", bo)
	g := w.group("Payments", payments)
	add := patchOf(object{"op": "Add", "path": "members", "value": []object{{"value": first}}})
	w.want(204, "PATCH", "/scim/v2/Groups/"+g, add)
	if !w.in(ada, payments) {
		t.Fatal("Ada is not in the group")
	}
	// The replica has no directory of its own; nobody leads, as after a kill.
	_, replica := w.serve(db.Open(t, "two"), w.directory, members, func(c *provision.Config) { c.Leads = func() bool { return false } })
	for path, body := range map[string]object{
		"/scim/v2/Groups/" + g: patchOf(object{"op": "Remove", "path": "members", "value": []object{{"value": first}}}, object{"op": "Add", "path": "members", "value": []object{{"value": second}}}),
		"/scim/v2/Users/" + second: patchOf(object{"op": "Replace", "path": "active", "value": false},
			object{"op": "Add", "path": "roles", "value": []object{{"value": "Payments.Lead"}}}),
	} {
		if a := w.at(replica.URL, "PATCH", path, body); a.status >= 300 {
			t.Fatal(a.text)
		}
	}
	check := func(d *directory.Directory) bool {
		s := d.Snapshot()
		u, ok := s.User(userID(bo))
		return ok && !u.Active() && !s.InGroup(userID(ada), groupID(payments)) && s.InGroup(userID(bo), groupID(payments)) &&
			s.InGroup(userID(bo), identity.AppRole(tenant, "Payments.Lead"))
	}
	if check(w.directory) {
		t.Fatal("it took effect without a leader")
	}
	store := db.Open(t, "three")
	next := directory.New(directory.Config{Rows: store, Publish: func(*directory.Snapshot, directory.Touched, feed.Seq) {}})
	t.Cleanup(next.Close)
	if err := next.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	service, _ := w.serve(store, next, members)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { service.Run(ctx) })
	defer func() { cancel(); running.Wait() }()
	eventually(t, "the new leader repairs", func() bool { return check(next) })

	// From then on it follows what other replicas take.
	head, err := store.FeedHead(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if a := w.at(replica.URL, "PATCH", "/scim/v2/Users/"+second, setActive(true)); a.status != 200 {
		t.Fatal(a.text)
	}
	entries, err := store.FeedAfter(ctx, head, 10)
	if err != nil || !slices.ContainsFunc(entries, func(e feed.Entry) bool { return e.Topic == feed.Provisioning }) {
		t.Fatalf("%+v, %v", entries, err)
	}
	for _, e := range entries {
		if err := service.Follow(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the leader follows", func() bool { u, ok := next.Snapshot().User(userID(bo)); return ok && u.Active() })
}
