package cases

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/source"
)

var (
	objectID  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	projectID = regexp.MustCompile(`^p-[a-z2-7]{16}$`)
)

// others are those who ask and are no users, by the word for them.
var others = map[string]identity.Principal{
	"operator":  {Kind: identity.Operator},
	"service":   {Kind: identity.Service, Service: "sync"},
	"anonymous": {},
}

// Parse reads a file of cases. The error is a source.Findings with all that is wrong in it.
func Parse(tenant identity.TenantID, name, text string) (*File, error) {
	r := &source.Reader{File: name}
	p := parser{reader: r, File: &File{name: name, tenant: tenant, now: noon, projects: map[string]identity.ProjectID{}, users: map[string]*user{}}}
	if m, ok := r.Document(text); ok {
		p.document(m)
	}
	if err := r.Findings.Err(); err != nil {
		r.Findings.Sort()
		return nil, r.Findings
	}
	return p.File, nil
}

type parser struct {
	*File
	reader *source.Reader
}

func (p *parser) document(m source.Mapping) {
	m.Keys([]string{"now", "projects", "users", "tests"}, nil)
	if e, ok := m.Find("now"); ok {
		p.now = moment(e.Value, p.now)
	}
	if e, ok := m.Find("projects"); ok {
		if projects, ok := e.Value.Mapping(); ok {
			for _, one := range projects.Entries {
				if id, ok := one.Value.Text(); ok && !projectID.MatchString(id) {
					one.Value.Report("%q is not a project's ID, such as p-aaaaaaaaaaaaaaaa", id)
				} else if ok {
					p.projects[one.Key] = identity.ProjectID(id)
				}
			}
		}
	}
	if e, ok := m.Find("users"); ok {
		if users, ok := e.Value.Mapping(); ok {
			for _, one := range users.Entries {
				p.user(one)
			}
		}
	}
	e, ok := m.Need("tests")
	if !ok {
		return
	}
	list, ok := e.Value.List()
	if ok && len(list) == 0 {
		e.Value.Report("there is no test")
	}
	for _, one := range list {
		p.test(one)
	}
}

// project is the ID of a project by its name. Those that no policy names by ID need none: one is made of the name.
func (p *parser) project(name string) identity.ProjectID {
	if id, ok := p.projects[name]; ok {
		return id
	}
	sum := sha256.Sum256([]byte(name))
	id := identity.ProjectID("p-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10])))
	p.projects[name] = id
	return id
}

func (p *parser) user(e source.Entry) {
	if _, reserved := others[e.Key]; reserved {
		e.At.Report("%s is no user's name here: it stands for who is none", e.Key)
		return
	}
	sum := sha256.Sum256([]byte(e.Key))
	u := &user{name: e.Key, groups: map[identity.GroupID]bool{}, roles: map[identity.ProjectID]policy.Role{}, global: map[policy.Role]bool{},
		id: identity.UserID{Tenant: p.tenant, Object: fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])}}
	p.users[e.Key] = u
	m, ok := e.Value.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"id", "groups", "roles", "installation"}, nil)
	if e, ok := m.Find("id"); ok {
		if id, ok := e.Value.Text(); ok {
			p.checkObject(e.Value, id)
			u.id.Object = id
		}
	}
	if e, ok := m.Find("groups"); ok {
		list, _ := e.Value.List()
		for _, one := range list {
			if id, ok := one.Text(); ok {
				p.checkObject(one, id)
				u.groups[identity.GroupID{Tenant: p.tenant, Object: id}] = true
			}
		}
	}
	if e, ok := m.Find("roles"); ok {
		if roles, ok := e.Value.Mapping(); ok {
			for _, one := range roles.Entries {
				if role, ok := choice(one.Value, policy.Viewer, policy.Developer, policy.Maintainer); ok {
					u.roles[p.project(one.Key)] = role
				}
			}
		}
	}
	if e, ok := m.Find("installation"); ok {
		list, _ := e.Value.List()
		for _, one := range list {
			if role, ok := choice(one, policy.Admin, policy.Auditor); ok {
				u.global[role] = true
			}
		}
	}
}

func (p *parser) checkObject(v source.Value, id string) {
	if objectID.MatchString(string(p.tenant)) && !objectID.MatchString(id) {
		v.Report("%q is not an object ID in lower case, such as 00000000-0000-0000-0000-000000000000", id)
	}
}

func moment(v source.Value, otherwise time.Time) time.Time {
	s, ok := v.Text()
	if !ok {
		return otherwise
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		v.Report("%q is not a moment; write it in quotes like \"2026-01-05T12:00:00Z\"", s)
		return otherwise
	}
	return t
}

// oneOrMany reads a text, or a list of texts.
func oneOrMany(v source.Value) []source.Located {
	if !v.IsText() {
		if list := v.Texts(); len(list) > 0 {
			return list
		}
		v.Report("name at least one")
		return nil
	}
	l, ok := v.Located()
	if !ok {
		return nil
	}
	return []source.Located{l}
}

// choice reads one of some words.
func choice[T ~string](v source.Value, from ...T) (T, bool) {
	s, ok := v.Text()
	if !ok {
		return "", false
	}
	var words []string
	for _, one := range from {
		if string(one) == s {
			return one, true
		}
		words = append(words, string(one))
	}
	v.Report("%q is not one of %s", s, strings.Join(words, ", "))
	return "", false
}

func nearUser(name string, users map[string]*user) string {
	if near := source.Nearest(name, slices.Sorted(maps.Keys(users))); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
