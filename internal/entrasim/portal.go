package entrasim

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// portalRoutes are the page and the forms on it. Each form is a POST that answers with a redirect
// back to the page, at the object that was changed.
func (t *Tenant) portalRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/portal", http.StatusFound) })
	mux.HandleFunc("GET /portal", func(w http.ResponseWriter, r *http.Request) { t.portalPage(w, r, http.StatusOK, "") })
	t.addedPages(mux)
	post := func(path string, do func(r *http.Request) (anchor string, err error)) {
		form := func(w http.ResponseWriter, r *http.Request) { t.servePortalForm(w, r, do) }
		mux.Handle("POST /portal/"+path, http.NewCrossOriginProtection().Handler(http.HandlerFunc(form)))
	}
	post("people", func(r *http.Request) (string, error) {
		given, surname, _ := strings.Cut(strings.TrimSpace(r.PostForm.Get("displayName")), " ")
		user, err := t.CreateUser(User{
			UserPrincipalName: strings.ToLower(strings.TrimSpace(r.PostForm.Get("userName"))), DisplayName: strings.TrimSpace(r.PostForm.Get("displayName")),
			GivenName: given, Surname: surname, AccountEnabled: true,
		})
		return "user-" + user.ID, err
	})
	for action, do := range map[string]func(id string) error{
		"enable":  func(id string) error { return t.SetEnabled(id, true) },
		"disable": func(id string) error { return t.SetEnabled(id, false) },
		"revoke":  t.RevokeSessions,
		"delete":  t.DeleteUser,
	} {
		post("people/{id}/"+action, func(r *http.Request) (string, error) { return "user-" + r.PathValue("id"), do(r.PathValue("id")) })
	}
	post("groups", func(r *http.Request) (string, error) {
		group, err := t.CreateGroup(Group{DisplayName: strings.TrimSpace(r.PostForm.Get("displayName"))})
		return "group-" + group.ID, err
	})
	for action, do := range map[string]func(id string, r *http.Request) error{
		"rename":         func(id string, r *http.Request) error { return t.RenameGroup(id, r.PostForm.Get("displayName")) },
		"delete":         func(id string, r *http.Request) error { return t.DeleteGroup(id) },
		"members/add":    func(id string, r *http.Request) error { return t.AddMember(id, r.PostForm.Get("member")) },
		"members/remove": func(id string, r *http.Request) error { return t.RemoveMember(id, r.PostForm.Get("member")) },
	} {
		post("groups/{id}/"+action, func(r *http.Request) (string, error) { return "group-" + r.PathValue("id"), do(r.PathValue("id"), r) })
	}
}

// formToken stands in every form of the portal; a page elsewhere cannot read it.
func (t *Tenant) formToken() string {
	mac := hmac.New(sha256.New, t.keys.Portal)
	mac.Write([]byte("portal form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// ownForm reads a form and reports whether it is one of this portal's.
func (t *Tenant) ownForm(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	return r.ParseForm() == nil && subtle.ConstantTimeCompare([]byte(r.PostForm.Get("form")), []byte(t.formToken())) == 1
}

func (t *Tenant) servePortalForm(w http.ResponseWriter, r *http.Request, do func(*http.Request) (string, error)) {
	if !t.ownForm(w, r) {
		t.portalPage(w, r, http.StatusForbidden, "This form is not from this page, or the page is old. Nothing was changed.")
		return
	}
	anchor, err := do(r)
	var refused *graphError
	switch {
	case errors.As(err, &refused):
		t.portalPage(w, r, refused.Status, refused.Message)
	case err != nil:
		t.log.Error("the portal failed", "error", err)
		t.portalPage(w, r, http.StatusInternalServerError, "The change was not made.")
	default:
		http.Redirect(w, r, "/portal#"+anchor, http.StatusSeeOther)
	}
}

type portalUser struct {
	User
	Groups []string // names of all groups, through nesting too
}

type portalGroup struct {
	Group
	Members []portalMember
	More    int            // members that are not shown
	Choices []portalMember // who could be added; none where there are too many to choose from
}

type portalMember struct{ ID, Name, Kind string }

// choicesAtMost is from how many users and groups one is chosen.
const choicesAtMost = 150

// sought keeps those whose name has what was searched for, no more than fit the page; more says how many were left out.
func sought[E any](all []E, words string, name func(E) string) (kept []E, more int) {
	for _, e := range all {
		if strings.Contains(strings.ToLower(name(e)), strings.ToLower(words)) {
			kept = append(kept, e)
		}
	}
	if len(kept) > portalRows {
		return kept[:portalRows], len(kept) - portalRows
	}
	return kept, 0
}

func (t *Tenant) portalPage(w http.ResponseWriter, r *http.Request, status int, message string) {
	words := strings.TrimSpace(r.URL.Query().Get("q"))
	people, morePeople := sought(t.Users(), words, func(u User) string { return u.DisplayName + " " + u.UserPrincipalName })
	groups, moreGroups := sought(t.Groups(), words, func(g Group) string { return g.DisplayName })
	names := map[string]portalMember{}
	for _, g := range groups {
		names[g.ID] = portalMember{g.ID, g.DisplayName, "group"}
	}
	for _, u := range people {
		names[u.ID] = portalMember{u.ID, u.DisplayName, "user"}
	}
	choices := make([]portalMember, 0, len(names))
	for _, g := range groups {
		choices = append(choices, names[g.ID])
	}
	for _, u := range people {
		choices = append(choices, names[u.ID])
	}
	var users []portalUser
	t.mu.Lock()
	named := func(id string) portalMember {
		if g := t.dir.group(id); g != nil {
			return portalMember{id, g.DisplayName, "group"}
		}
		if u := t.dir.user(id); u != nil {
			return portalMember{id, u.DisplayName, "user"}
		}
		return portalMember{id, id, "user"}
	}
	for _, u := range people {
		shown := portalUser{User: u}
		for _, id := range t.dir.groupsOf(u.ID, true) {
			shown.Groups = append(shown.Groups, named(id).Name)
		}
		slices.Sort(shown.Groups)
		users = append(users, shown)
	}
	var shown []portalGroup
	for _, g := range groups {
		entry := portalGroup{Group: g, More: max(0, len(g.Members)-portalRows)}
		for _, m := range g.Members[:min(len(g.Members), portalRows)] {
			entry.Members = append(entry.Members, named(m))
		}
		slices.SortFunc(entry.Members, func(a, b portalMember) int { return strings.Compare(a.Kind+a.Name, b.Kind+b.Name) })
		for _, c := range choices {
			if len(choices) > choicesAtMost {
				break // then a name is typed
			}
			if c.ID != g.ID && !slices.Contains(g.Members, c.ID) {
				entry.Choices = append(entry.Choices, c)
			}
		}
		shown = append(shown, entry)
	}
	t.mu.Unlock()
	noStore(w)
	t.render(w, status, "portal.html", "form-action 'self'", map[string]any{
		"Form": t.formToken(), "People": users, "AllGroups": shown, "Error": message, "Domain": t.org.Domain, "More": t.pageNames(),
		"Words": words, "MorePeople": morePeople, "MoreGroups": moreGroups, "Faulty": t.faults.active.Load(),
	})
}
