package entrasim

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Size says how large an organisation is to be. The same Size makes the same organisation each time.
type Size struct {
	Seed        uint64
	Users       int
	Groups      int
	Memberships int // direct ones, of groups in groups too
	// Depth is how many groups lie in one another; 0 or 1: none. Beyond a depth of 2 some chains of groups end where they
	// began.
	Depth int
	// Assigned is how many of the groups, from the first, are assigned to each app of the organisation that has
	// assignments.
	Assigned int
	// Passwords gives each user the password "lanyard-" and the user name; without, nobody of them signs in.
	Passwords bool
}

// UserID is the object ID of the ith user.
func (s Size) UserID(i int) string { return s.id('u', i) }

// GroupID is the object ID of the ith group.
func (s Size) GroupID(i int) string { return s.id('g', i) }

// id mixes seed, kind and number into a GUID (RFC 9562, version 8).
func (s Size) id(kind byte, i int) string {
	a := mixed(s.Seed ^ uint64(kind)<<56 ^ uint64(i))
	b := mixed(a ^ s.Seed)
	return fmt.Sprintf("%08x-%04x-8%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// mixed is the finalizer of SplitMix64: a bijection, so that different numbers stay different.
func mixed(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

var (
	givenNames = strings.Fields("Ada Alan Alonzo Annie Barbara Claude Dana Dorothy Edith Emmy Evelyn Fran Frances Grace Hedy Hertha Ida Ivan Jean Joan " +
		"John Karen Katherine Kathleen Ken Leslie Lynn Margaret Mary Maurice Niklaus Ola Peter Radia Robin Rosa Shafi Sofia Tim Wilma")
	surnames = strings.Fields("Allen Antonelli Babbage Backus Bartik Berners Boole Borg Church Clarke Conway Dijkstra Easley Engelbart Floyd Goldberg " +
		"Goldwasser Hamilton Hoare Holberton Hopper Johnson Jones Kay Keller Knuth Lamport Liskov Lovelace Meyer Milner Naur Noether Perlis Perlman " +
		"Ritchie Sammet Shannon Snyder Thompson Turing Wilkes Wing Wirth")
	departments = strings.Fields("Engineering Finance Legal Logistics Marketing Operations Payments Platform Research Sales Security Shop Support")
)

// Grown is the organisation with as many more users and groups as s says.
func (o Organisation) Grown(s Size) Organisation {
	o.Users, o.Groups = slices.Grow(slices.Clone(o.Users), s.Users), slices.Grow(slices.Clone(o.Groups), s.Groups)
	ids := make([]string, s.Users)
	for i := range s.Users {
		u := s.user(i, o.Domain)
		ids[i], o.Users = u.ID, append(o.Users, u)
	}
	members := s.members(ids)
	for i := range s.Groups {
		o.Groups = append(o.Groups, Group{ID: s.GroupID(i), DisplayName: fmt.Sprintf("team-%05d", i), CreatedDateTime: founded, Members: members[i]})
	}
	o.Apps = slices.Clone(o.Apps)
	for a := range o.Apps {
		app := &o.Apps[a]
		if len(app.Assignments) == 0 {
			continue
		}
		app.Assignments = slices.Clone(app.Assignments)
		for i := range min(s.Assigned, s.Groups) {
			app.Assignments = append(app.Assignments, Assignment{ID: assignmentID(app.PrincipalID+"/sized", i), PrincipalID: s.GroupID(i),
				AppRoleID: DefaultAccess, Created: founded})
		}
	}
	return o
}

// founded is when everybody of a grown organisation was there.
var founded = time.Date(2020, 3, 2, 8, 0, 0, 0, time.UTC)

func (s Size) user(i int, domain string) User {
	at := mixed(s.Seed ^ uint64(i)*0x2545f4914f6cdd1d)
	given, surname := givenNames[at%uint64(len(givenNames))], surnames[at>>20%uint64(len(surnames))]
	name := fmt.Sprintf("%s.%s.%d", strings.ToLower(given), strings.ToLower(surname), i)
	address := name + "@" + domain
	u := User{
		ID: s.UserID(i), UserPrincipalName: address, Mail: address, DisplayName: given + " " + surname, GivenName: given, Surname: surname,
		Department: departments[at>>40%uint64(len(departments))], AccountEnabled: at>>50%50 != 0, CreatedDateTime: founded,
	}
	if s.Passwords {
		u.Password = "lanyard-" + name
	}
	return u
}

// members lists the direct members of each group: first the nested groups, then as many users as are left, in few large
// groups and many small ones.
func (s Size) members(users []string) [][]string {
	of := make([][]string, s.Groups)
	if s.Groups == 0 {
		return of
	}
	random := rand.New(rand.NewPCG(s.Seed, 1))
	left := s.Memberships
	nest := func(group, in int) {
		if id := s.GroupID(group); left > 0 && group != in && !slices.Contains(of[in], id) {
			of[in] = append(of[in], id)
			left--
		}
	}
	if s.Depth > 1 {
		for i := range s.Groups { // chains of Depth groups, of which each is in the one before
			if i%s.Depth != 0 {
				nest(i, i-1)
			}
			if s.Depth > 2 && i%(20*s.Depth) == s.Depth-1 {
				nest(i-s.Depth+1, i) // a circle
			}
		}
	}
	sizes := s.sizes(left, len(users))
	for i, n := range sizes {
		of[i] = append(make([]string, 0, n+len(of[i])), of[i]...)
		// A stride without a common divisor visits every user once.
		at, stride := 0, 1
		if n > 0 {
			at, stride = random.IntN(len(users)), 1+random.IntN(len(users))
		}
		for n > 0 && common(stride, len(users)) != 1 {
			stride++
		}
		for range n {
			of[i] = append(of[i], users[at])
			at = (at + stride) % len(users)
		}
	}
	return of
}

// sizes spreads so many memberships over the groups, none larger than there are users: the larger a group's number,
// the smaller it is.
func (s Size) sizes(total, users int) []int {
	sizes := make([]int, s.Groups)
	total = min(total, users*s.Groups)
	var weights uint64
	weight := func(i int) uint64 { return 1<<32/uint64(i+20) + 1<<22 }
	for i := range sizes {
		weights += weight(i)
	}
	left := total
	for i := range sizes {
		high, low := bits.Mul64(uint64(total), weight(i))
		share, _ := bits.Div64(high%weights, low, weights)
		sizes[i] = min(int(share), users, left)
		left -= sizes[i]
	}
	for i := 0; left > 0; i = (i + 1) % s.Groups {
		if sizes[i] < users {
			sizes[i]++
			left--
		}
	}
	return sizes
}

func common(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
