package directory

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestFindUser(t *testing.T) {
	ada := User{ID: testUser(1), Name: "Ada", UserName: "ada@contoso.example", Mail: "a.lovelace@contoso.example", Enabled: true}
	other := User{ID: testUser(2), Name: "Ada", UserName: "ada@fabrikam.example", Enabled: true}
	bob := User{ID: testUser(3), Name: "Bob", UserName: "bob@contoso.example"}
	s, _ := Empty().With(Change{Users: []User{ada, other, bob}})
	for name, want := range map[string]identity.UserID{
		"u1": ada.ID, "u-u1": ada.ID, "ADA@contoso.example": ada.ID, "a.lovelace": ada.ID, "bob": bob.ID,
		"ada": {}, "": {}, "nobody": {}, "Ada Lovelace": {},
	} {
		u, ok := s.FindUser(name)
		if ok == want.IsZero() || ok && u.ID != want {
			t.Errorf("FindUser(%q) = %v, %v; want %v", name, u, ok, want)
		}
	}
}

// TestAttack16NamesAreNotKeys: whoever takes another's user name and mail has nothing of theirs.
func TestAttack16NamesAreNotKeys(t *testing.T) {
	victim := User{ID: testUser(1), Name: "Ada", UserName: "ada@contoso.example", Mail: "ada@contoso.example", Enabled: true}
	attacker, elsewhere := victim, victim
	attacker.ID.Object = "u2"
	elsewhere.ID.Tenant = "another tenant"
	s, _ := Empty().With(Change{
		Users:   []User{victim, attacker, elsewhere},
		Groups:  []Group{{ID: testGroup(1), Security: true}},
		Members: []Membership{{Group: testGroup(1), Member: Member{User: victim.ID}}},
	})
	if !s.InGroup(victim.ID, testGroup(1)) || s.InGroup(attacker.ID, testGroup(1)) || s.InGroup(elsewhere.ID, testGroup(1)) {
		t.Error("a membership follows the name, not the person")
	}
	if u, ok := s.FindUser("ada@contoso.example"); ok {
		t.Errorf("an ambiguous name was taken for %v", u.ID)
	}
}

func TestAssignedGroups(t *testing.T) {
	s, _ := Empty().With(Change{Groups: []Group{
		{ID: testGroup(1), Name: "devs", Security: true, Assigned: true},
		{ID: testGroup(2), Name: "devs", Security: true},
		{ID: testGroup(3), Name: "devs", Assigned: true},
		{ID: testGroup(4), Name: "Devs", Security: true, Assigned: true},
	}})
	if got := s.AssignedGroups("devs"); len(got) != 1 || got[0].ID != testGroup(1) {
		t.Errorf("AssignedGroups = %v, want the assigned security group of exactly that name", got)
	}
}

// organisation is a directory of some size: every user in five groups, groups nested three deep.
func organisation(users, groups int) Change {
	r := rand.New(rand.NewPCG(7, 7))
	c := Change{Reset: Everything}
	for i := range users {
		c.Users = append(c.Users, User{ID: testUser(i), Name: fmt.Sprint("User ", i), UserName: fmt.Sprintf("u%d@contoso.example", i), Enabled: true})
		c.Members = append(c.Members, Membership{Group: testGroup(0), Member: Member{User: testUser(i)}}) // everybody
		for range 5 {
			c.Members = append(c.Members, Membership{Group: testGroup(1 + r.IntN(groups-1)), Member: Member{User: testUser(i)}})
		}
	}
	for i := range groups {
		c.Groups = append(c.Groups, Group{ID: testGroup(i), Name: fmt.Sprint("Group ", i), Security: true})
		if i > 1 && i%10 != 0 {
			c.Members = append(c.Members, Membership{Group: testGroup(i / 10 * 10), Member: Member{Group: testGroup(i)}})
		}
	}
	return c
}

func BenchmarkWithOneMembership(b *testing.B) {
	s, _ := Empty().With(organisation(10_000, 1_000))
	for name, g := range map[string]int{"group of 50": 17, "group of all": 0} {
		b.Run(name, func(b *testing.B) {
			e := Membership{Group: testGroup(g), Member: Member{User: testUser(123)}}
			for i := range b.N {
				e.Removed = i%2 == 0
				s, _ = s.With(Change{Members: []Membership{e}})
			}
		})
	}
}

func BenchmarkFirstRead(b *testing.B) {
	c := organisation(10_000, 1_000)
	for b.Loop() {
		Empty().With(c)
	}
}

func BenchmarkGroups(b *testing.B) {
	s, _ := Empty().With(organisation(10_000, 1_000))
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			s.climb(testUser(5))
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			s.InGroup(testUser(5), testGroup(0))
		}
	})
}
