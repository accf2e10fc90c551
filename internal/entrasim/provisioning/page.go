package provisioning

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

//go:embed page.html
var pageText string

// shownRecords is how much of the log the page shows, the newest first.
const shownRecords = 100

// Page is the service's page of the portal: configure, try the connection, run a cycle, provision on demand, read the log.
func (s *Service) Page() (entrasim.Page, error) {
	body, err := template.New("provisioning").Parse(pageText)
	if err != nil {
		return entrasim.Page{}, fmt.Errorf("read the provisioning page: %w", err)
	}
	return entrasim.Page{Body: body, Data: s.pageData, Forms: map[string]func(*http.Request) error{
		"configure": s.configureForm,
		"test":      func(r *http.Request) error { return s.TestConnection(r.Context()) },
		"cycle":     func(r *http.Request) error { return s.Cycle(r.Context()) },
		"restart":   func(*http.Request) error { s.Restart(); return nil },
		"user":      func(r *http.Request) error { return s.User(r.Context(), r.PostForm.Get("user")) },
		"group": func(r *http.Request) error {
			return s.Group(r.Context(), r.PostForm.Get("group"), slices.DeleteFunc(r.PostForm["member"], func(m string) bool { return m == "" })...)
		},
	}}, nil
}

type pageData struct {
	Settings Settings
	Modes    []RoleMode
	ObjectID bool // externalId is the object ID
	Status   Status
	Next     string
	Records  []Record
	People   []entrasim.ExtractedUser
	Groups   []entrasim.ExtractedGroup
}

func (s *Service) pageData() any {
	d := pageData{Settings: s.Settings(), Status: s.Status(), Records: s.Log(), ObjectID: true, Modes: []RoleMode{Single, Complex, Assertive}}
	for _, a := range d.Settings.Users.Attributes {
		if a.To == "externalId" {
			d.ObjectID = a.From == "objectId"
		}
	}
	slices.Reverse(d.Records)
	d.Records = d.Records[:min(len(d.Records), shownRecords)]
	if in, ever := s.Due(); ever {
		d.Next = in.Round(1e9).String()
	}
	if x, err := s.source.Extract(s.app); err == nil {
		for _, u := range x.Users {
			if !u.Purged {
				d.People = append(d.People, u)
			}
		}
		for _, g := range x.Groups {
			if !g.Deleted {
				d.Groups = append(d.Groups, g)
			}
		}
	}
	slices.SortFunc(d.People, func(a, b entrasim.ExtractedUser) int { return strings.Compare(a.DisplayName, b.DisplayName) })
	slices.SortFunc(d.Groups, func(a, b entrasim.ExtractedGroup) int { return strings.Compare(a.DisplayName, b.DisplayName) })
	return d
}

// configureForm takes the form over. A secret that is left empty stays what it was.
func (s *Service) configureForm(r *http.Request) error {
	text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	settings := Settings{TenantURL: text("url"), Scope: Scope(text("scope")), Roles: RoleMode(text("roles")), Users: DefaultUsers()}
	if text("externalId") == "objectId" {
		settings.Users = ObjectIDUsers()
	}
	secret := text("secret")
	switch how := text("how"); {
	case how == "token" && secret != "":
		settings.Credential = SecretToken(secret)
	case how == "client" && secret != "":
		settings.Credential = &Client{TokenEndpoint: text("endpoint"), ID: text("client"), Secret: secret}
	case how == "federated":
		settings.Credential = &Client{TokenEndpoint: text("endpoint"), ID: text("client")}
	default:
		s.mu.Lock()
		settings.Credential = s.settings.Credential
		s.mu.Unlock()
	}
	return s.Configure(settings)
}
