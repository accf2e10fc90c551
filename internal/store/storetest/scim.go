package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/feed"
)

// scimRoundTrip writes, finds and removes resources and members.
func scimRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s, other := db.Open(t, "one"), db.Open(t, "two")
	ada := provision.Row{Kind: provision.UserKind, ID: "1", External: "AAAA", Object: "aaaa", Name: "Ada@contoso.example", NameKey: "ada@contoso.example", Display: "Ada",
		Mail: "Ada@mail.example.test", Mails: []string{"ada@mail.example.test", "ada@other.example.test"}, Active: true, Roles: []string{"Payments.Lead"}, Body: []byte(`{"a":1}`), Version: 1, Created: now(), Changed: now()}
	bo := provision.Row{Kind: provision.UserKind, ID: "2", Name: "bo", NameKey: "bo", Body: []byte(`{}`), Version: 1, Created: now(), Changed: now(), Roles: []string{}}
	devs := provision.Row{Kind: provision.GroupKind, ID: "3", External: "g1", Object: "g1", Name: "devs", NameKey: "devs", Display: "devs", Active: true, Body: []byte(`{}`), Version: 1,
		Created: now(), Changed: now(), Roles: []string{}}
	write := func(s provision.Rows, f func(context.Context, provision.Tx) (provision.Written, error)) feed.Seq {
		t.Helper()
		seq, err := s.WriteSCIM(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	seq := write(s, func(ctx context.Context, tx provision.Tx) (w provision.Written, err error) {
		for _, r := range []provision.Row{ada, bo, devs} {
			if err := tx.Put(ctx, r); err != nil {
				return w, err
			}
		}
		added, err := tx.AddMembers(ctx, "3", []string{"1", "2", "1"})
		if slices.Sort(added); !slices.Equal(added, []string{"1", "2"}) {
			t.Errorf("added %v", added)
		}
		return provision.Written{Keys: []string{"user/aaaa"}, Events: []audit.Event{{Time: now(), Action: "scim:write"}}}, err
	})
	entries, err := s.FeedAfter(ctx, 0, 10)
	if err != nil || len(entries) != 1 || entries[0].Seq != seq || entries[0].Topic != feed.Provisioning || !slices.Equal(entries[0].Keys, []string{"user/aaaa"}) {
		t.Errorf("feed: %+v %v", entries, err)
	}
	got, found, err := other.SCIMResource(ctx, provision.UserKind, "1")
	got.Mails = ada.Mails // they are found by, and not read
	if diff := cmp.Diff(ada, got); !found || err != nil || diff != "" {
		t.Fatal(found, err, diff)
	}
	if _, found, err := other.SCIMResource(ctx, provision.GroupKind, "1"); found || err != nil {
		t.Error("a user is found as a group", err)
	}
	for _, c := range []struct {
		kind provision.Kind
		by   []provision.Match
		want []string
	}{
		{provision.UserKind, nil, []string{"1", "2"}},
		{provision.UserKind, []provision.Match{{Column: provision.ByName, Value: "ada@contoso.example"}, {Column: provision.ByID, Value: "1"}}, []string{"1"}},
		{provision.UserKind, []provision.Match{{Column: provision.ByMail, Value: "ada@other.example.test"}}, []string{"1"}},
		{provision.UserKind, []provision.Match{{Column: provision.ByExternal, Value: "aaaa"}}, nil},
		{provision.GroupKind, []provision.Match{{Column: provision.ByMember, Value: "2"}}, []string{"3"}},
	} {
		rows, total, err := other.ListSCIM(ctx, c.kind, c.by, 0, 10)
		var ids []string
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		if err != nil || total != len(c.want) || !slices.Equal(ids, c.want) {
			t.Errorf("%v: %v of %d, %v", c.by, ids, total, err)
		}
	}
	if rows, total, err := other.ListSCIM(ctx, provision.UserKind, nil, 1, 1); err != nil || total != 2 || len(rows) != 1 || rows[0].ID != "2" {
		t.Errorf("a page: %v of %d, %v", rows, total, err)
	}
	members, err := other.SCIMMembers(ctx, []string{"3"})
	if want := []provision.Member{{Group: "3", ID: "1", Kind: provision.UserKind, Display: "Ada"}, {Group: "3", ID: "2", Kind: provision.UserKind, Display: "bo"}}; err != nil || !slices.Equal(members, want) {
		t.Errorf("members %v, %v", members, err)
	}
	scimFacts(t, ctx, other)
	write(other, func(ctx context.Context, tx provision.Tx) (w provision.Written, err error) {
		removed, err := tx.RemoveMembers(ctx, "3", []string{"2", "9"})
		if err != nil || !slices.Equal(removed, []string{"2"}) {
			t.Errorf("removed %v, %v", removed, err)
		}
		if known, err := tx.Known(ctx, []string{"1", "9"}); err != nil || len(known) != 1 || known["1"].Object != "aaaa" {
			t.Errorf("known %v, %v", known, err)
		}
		return w, tx.Delete(ctx, ada)
	})
	f, err := s.AllSCIMFacts(ctx, true)
	if err != nil || len(f.Users) != 0 || len(f.Groups) != 1 || len(f.Members) != 0 || !slices.Equal(f.Gone, []string{"aaaa"}) {
		t.Errorf("after the deletion %+v, %v", f, err)
	}
	if c, err := s.SCIMCounts(ctx); err != nil || c != (provision.Counts{Users: 1, Inactive: 1, Groups: 1, Stray: 1, Gone: 1}) {
		t.Errorf("counts %+v, %v", c, err)
	}
	ada.ID = "4"
	write(s, func(ctx context.Context, tx provision.Tx) (provision.Written, error) {
		return provision.Written{}, tx.Put(ctx, ada)
	})
	if f, err = s.AllSCIMFacts(ctx, false); err != nil || len(f.Gone) != 0 {
		t.Errorf("made again: %+v, %v", f, err)
	}
}

func scimFacts(t *testing.T, ctx context.Context, s provision.Rows) {
	t.Helper()
	pair := provision.Pair{Group: "g1", Kind: provision.UserKind, Member: "aaaa"}
	for name, read := range map[string]func() (provision.Facts, error){
		"all":     func() (provision.Facts, error) { return s.AllSCIMFacts(ctx, true) },
		"by user": func() (provision.Facts, error) { return s.SCIMFacts(ctx, []string{"aaaa"}, []string{"g1"}, nil) },
		"by group": func() (provision.Facts, error) {
			f, err := s.SCIMFacts(ctx, []string{"bbbb"}, []string{"g1"}, []string{"g1"})
			f.Users = append(f.Users, provision.Row{Object: "aaaa", Active: true, Roles: []string{"Payments.Lead"}})
			return f, err
		},
	} {
		f, err := read()
		if err != nil || len(f.Users) != 1 || f.Users[0].Object != "aaaa" || !f.Users[0].Active || !slices.Equal(f.Users[0].Roles, []string{"Payments.Lead"}) ||
			len(f.Groups) != 1 || f.Groups[0].Name != "devs" || !slices.Equal(f.Members, []provision.Pair{pair}) || f.Seq == 0 {
			t.Errorf("facts %s: %+v, %v", name, f, err)
		}
	}
}

// scimCredentialsRoundTrip keeps what is revoked revoked, and the latest use.
func scimCredentialsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s, other := db.Open(t, "one"), db.Open(t, "two")
	c := provision.Credential{ID: "sc-1", Name: "entra", Kind: provision.Bearer, Hash: []byte("hash"), Made: now(), Expires: now().Add(time.Hour)}
	entry := feed.Entry{Topic: feed.Provisioning, Keys: []string{provision.CredentialKey}}
	if err := s.SaveSCIMCredential(ctx, c, entry, audit.Event{Time: now(), Action: "scim:credential"}); err != nil {
		t.Fatal(err)
	}
	revoked := c
	revoked.Revoked = now()
	for _, one := range []provision.Credential{revoked, c} {
		if err := other.SaveSCIMCredential(ctx, one, entry); err != nil {
			t.Fatal(err)
		}
	}
	use := provision.Use{Credential: "sc-1", At: now(), IP: "192.0.2.1"}
	for _, u := range []provision.Use{use, {Credential: "sc-1", At: use.At.Add(-time.Minute), IP: "192.0.2.2"}} {
		if err := other.NoteSCIMUse(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	all, uses, err := s.SCIMCredentials(ctx)
	if diff := cmp.Diff([]provision.Credential{revoked}, all); err != nil || diff != "" || !slices.Equal(uses, []provision.Use{use}) {
		t.Error(diff, uses, err)
	}
}
