package entrasim

import (
	"net/http"
	"slices"
)

// defaultDeltaPage is how many objects, and how many members beside them, one page holds.
const defaultDeltaPage = 200

// delta answers /users/delta and /groups/delta. A round goes through the objects by ID; what
// changes behind its back while it is paged comes again in the next round, since that begins at the
// number at which this one began. So nothing is missed, and some things come twice, as at Graph.
func (t *Tenant) delta(r graphRequest, collection string) (graphAnswer, error) {
	if r.Method != http.MethodGet {
		return graphAnswer{}, notAllowed(r.Method)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	token, err := t.deltaStart(r, collection)
	if err != nil {
		return graphAnswer{}, err
	}
	page := deltaPage{token: token, room: maxPageSize(r.Request), minimal: minimal(r.Request), value: []entity{}}
	page.memberRoom = page.room
	if page.until = t.dir.Seq; t.faults.lag() > 0 {
		page.until = token.Began
	}
	ids := t.dir.changedSince(map[string]string{"users": "Users", "groups": "Groups"}[collection], token.Since)
	if token.Only != nil {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(token.Only, id) })
	}
	at, _ := slices.BinarySearch(ids, token.At)
	next := ""
	for ; at < len(ids) && next == ""; at++ {
		if collection == "groups" {
			next = t.deltaGroup(&page, ids[at])
		} else {
			next = t.deltaUser(&page, ids[at])
		}
	}
	page.value = t.faults.replayed(page.value)
	body := entity{"@odata.context": t.context(collection, nil), "value": page.value}
	if token.At == "" {
		body["@odata.context"] = t.context(collection, token.Select)
	}
	if next != "" {
		body["@odata.nextLink"] = next
	} else {
		body["@odata.deltaLink"] = t.deltaLink(token)
	}
	return graphAnswer{Body: body}, nil
}

// deltaPage is a page that is being filled.
type deltaPage struct {
	token      deltaToken
	room       int // objects that still fit
	memberRoom int // members that still fit
	minimal    bool
	until      int64 // number of the last change that is told
	value      []entity
}

// full gives the link to the rest when an object does not fit any more.
func (p *deltaPage) full(t *Tenant, id, member string) string {
	rest := p.token
	rest.At, rest.Member = id, member
	return t.skipLink(rest)
}

// removed is an object that the client knew and that is gone: "changed" for one that can be
// restored, "deleted" for one that cannot.
func removed(id, reason string) entity {
	return entity{"id": id, "@removed": map[string]string{"reason": reason}}
}

func reasonOf(bin *recycled) string {
	if bin != nil {
		return "changed"
	}
	return "deleted"
}

// news says what of an object the client has to hear since its number, up to another.
func (c change) news(since, until int64) (gone, changed bool) {
	if c.Deleted != 0 {
		// One that was made after since may have been on a page of the round before.
		return since > 0 && c.Deleted > since && c.Deleted <= until, false
	}
	return false, c.Changed > since && c.Changed <= until
}

// since narrows the selected properties to those that changed, for a client that wants no others.
func (c change) since(number int64, selected []string) []string {
	if c.Created > number || c.Restored > number {
		return selected
	}
	return slices.DeleteFunc(slices.Clone(selected), func(name string) bool { return c.Props[name] <= number })
}

// moved reports that members came or left after a number, up to another.
func (g *groupRow) moved(since, until int64) bool {
	if g.EntriesSince <= until {
		return g.EntriesSince > since
	}
	return slices.ContainsFunc(g.Entries, func(m membership) bool { return m.Seq > since && m.Seq <= until })
}

func (t *Tenant) deltaUser(p *deltaPage, id string) string {
	u := t.dir.Users[id]
	gone, changed := u.news(p.token.Since, p.until)
	if !gone && !changed {
		return ""
	}
	if p.room == 0 {
		return p.full(t, id, "")
	}
	p.room--
	if gone {
		p.value = append(p.value, removed(id, reasonOf(u.Recycled)))
		return ""
	}
	selected := p.token.Select
	if len(selected) == 0 {
		selected = userDefaults()
	}
	if p.minimal {
		selected = u.since(p.token.Since, selected)
	}
	p.value = append(p.value, projected(userEntity(u), selected))
	return ""
}

func (t *Tenant) deltaGroup(p *deltaPage, id string) string {
	g := t.dir.Groups[id]
	gone, changed := g.news(p.token.Since, p.until)
	members := g.Deleted == 0 && p.token.wantsMembers() && g.moved(p.token.Since, p.until)
	if !gone && !changed && !members {
		return ""
	}
	if p.room == 0 {
		return p.full(t, id, "")
	}
	p.room--
	if gone {
		p.value = append(p.value, removed(id, reasonOf(g.Recycled)))
		return ""
	}
	selected := p.token.Select
	if len(selected) == 0 {
		selected = groupDefaults()
	}
	if p.minimal {
		selected = g.since(p.token.Since, selected)
	}
	e := projected(groupEntity(g), selected)
	p.value = append(p.value, e)
	if !members {
		return ""
	}
	list, last, more := t.memberNews(p, g)
	if len(list) > 0 {
		e["members@delta"] = list
	}
	if more {
		return p.full(t, id, last)
	}
	return ""
}

// memberNews lists the members that came or left since the client's number, after the one at which
// the page before ended. When not all fit there is more, after last.
func (t *Tenant) memberNews(p *deltaPage, g *groupRow) (list []deltaMember, last string, more bool) {
	at := 0
	if p.token.At == g.ID && p.token.Member != "" {
		last = p.token.Member
		i, found := g.search(last)
		if at = i; found {
			at++
		}
	}
	for _, m := range g.Entries[at:] {
		if m.Seq <= p.token.Since || m.Seq > p.until || m.Removed && p.token.Since == 0 {
			continue
		}
		if p.memberRoom == 0 {
			return list, last, true
		}
		p.memberRoom--
		e := deltaMember{Type: t.memberType(m.Member), ID: m.Member}
		if m.Removed {
			e.Removed = &deltaRemoved{Reason: "deleted"}
		}
		list, last = append(list, e), m.Member
	}
	return list, "", false
}

// deltaMember is a member that came or left.
type deltaMember struct {
	Type    string        `json:"@odata.type"`
	ID      string        `json:"id"`
	Removed *deltaRemoved `json:"@removed,omitempty"`
}

type deltaRemoved struct {
	Reason string `json:"reason"`
}

// memberType is the OData type of a member, also of one that was deleted.
func (t *Tenant) memberType(id string) string {
	if t.dir.Groups[id] != nil {
		return "#microsoft.graph.group"
	}
	return "#microsoft.graph.user"
}
