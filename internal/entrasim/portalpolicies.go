package entrasim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// signInsShown is how many sign-ins the portal lists.
const signInsShown = 100

type policyOnPage struct {
	ID, Name, State string
	Who, What, Then string
}

// policiesPage shows the Conditional Access policies in words, and what a new one may be of.
func (t *Tenant) policiesPage() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := func(ids []string) string {
		var out []string
		for _, id := range ids {
			name := id
			if u := t.dir.user(id); u != nil {
				name = u.DisplayName
			} else if g := t.dir.group(id); g != nil {
				name = g.DisplayName
			} else if a, known := t.apps[strings.ToLower(id)]; known {
				name = a.Name
			}
			out = append(out, name)
		}
		return strings.Join(out, ", ")
	}
	but := func(include, exclude string) string {
		if exclude != "" {
			return include + ", except " + exclude
		}
		return include
	}
	var shown []policyOnPage
	for _, p := range t.dir.Policies {
		one := policyOnPage{ID: p.ID, Name: p.Name, State: p.State, Then: strings.Join(p.Controls, " and ")}
		one.Who = but(names(slices.Concat(p.Users, p.Groups)), names(slices.Concat(p.ExcludeUsers, p.ExcludeGroups)))
		one.What = but(names(p.Apps), names(p.ExcludeApps))
		if len(p.Contexts) > 0 {
			one.What = "context " + strings.Join(p.Contexts, ", ")
		}
		if p.AnyControl {
			one.Then = strings.Join(p.Controls, " or ")
		}
		if p.SignInFrequency > 0 {
			one.Then = strings.TrimPrefix(one.Then+" and a sign-in at most "+p.SignInFrequency.String()+" old", " and ")
		}
		shown = append(shown, one)
	}
	var apps, people []portalMember
	for _, a := range t.apps {
		if a.PrincipalID != "" {
			apps = append(apps, portalMember{a.ClientID, a.Name, "app"})
		}
	}
	slices.SortFunc(apps, func(a, b portalMember) int { return strings.Compare(a.Name, b.Name) })
	for _, id := range slices.Concat(t.dir.groupIDs[:min(len(t.dir.groupIDs), portalRows)], t.dir.userIDs[:min(len(t.dir.userIDs), portalRows)]) {
		if g := t.dir.group(id); g != nil {
			people = append(people, portalMember{id, g.DisplayName, "group"})
		} else if u := t.dir.user(id); u != nil {
			people = append(people, portalMember{id, u.DisplayName, "user"})
		}
	}
	return map[string]any{"Policies": shown, "Apps": apps, "People": people, "Controls": []string{ControlBlock, ControlMFA, ControlDevice, ControlJoined},
		"States": []string{PolicyEnabled, PolicyReportOnly, PolicyDisabled}}
}

func (t *Tenant) policyForms() map[string]func(*http.Request) error {
	return map[string]func(*http.Request) error{
		"add": func(r *http.Request) error {
			p := Policy{Name: strings.TrimSpace(r.PostForm.Get("name")), State: r.PostForm.Get("state")}
			who := strings.TrimSpace(r.PostForm.Get("who"))
			t.mu.Lock()
			switch id := t.dir.memberID(who); {
			case who == "" || strings.EqualFold(who, All):
				p.Users = []string{All}
			case t.dir.group(id) != nil:
				p.Groups = []string{id}
			default:
				p.Users = []string{id}
			}
			t.mu.Unlock()
			if context := strings.TrimSpace(r.PostForm.Get("context")); context != "" {
				p.Contexts = []string{context}
			} else {
				p.Apps = []string{or(r.PostForm.Get("app"), All)}
			}
			if control := r.PostForm.Get("control"); control != "" {
				p.Controls = []string{control}
			}
			if hours := strings.TrimSpace(r.PostForm.Get("hours")); hours != "" {
				d, err := time.ParseDuration(hours + "h")
				if err != nil {
					return badRequest("The sign-in frequency is a number of hours.")
				}
				p.SignInFrequency = d
			}
			_, err := t.SetPolicy(p)
			return err
		},
		"state": func(r *http.Request) error {
			all := t.Policies()
			i := slices.IndexFunc(all, func(p Policy) bool { return p.ID == r.PostForm.Get("id") })
			if i < 0 {
				return notFound(r.PostForm.Get("id"))
			}
			all[i].State = r.PostForm.Get("state")
			_, err := t.SetPolicy(all[i])
			return err
		},
		"remove": func(r *http.Request) error { return t.RemovePolicy(r.PostForm.Get("id")) },
	}
}

// signInsPage shows the newest of the log, with what it does not have at Graph yet.
func (t *Tenant) signInsPage() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.Clone(t.signIns.entries[max(0, len(t.signIns.entries)-signInsShown):])
	slices.Reverse(list)
	return list
}

// Words are the outcome of a sign-in for the page.
func (e loggedSignIn) Words() string {
	if e.Code == 0 {
		return "signed in"
	}
	return (&stsError{Code: e.Code, Message: e.Failure}).Error()
}

// Access is what the policies came to, with their names.
func (e loggedSignIn) Access() string {
	var names []string
	for _, p := range e.Policies {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return ""
	}
	return e.conditionalAccess() + ": " + strings.Join(names, ", ")
}
