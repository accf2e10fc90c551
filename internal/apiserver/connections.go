package apiserver

import (
	"net/http"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Connections is what the API asks of connection.Service.
type Connections interface {
	Shown(*http.Request, identity.UserID) ([]connection.Shown, error)
	Disconnect(r *http.Request, u identity.UserID, app string) error
}

func ownThings(_ *http.Request, p identity.Principal) (identity.Resource, error) {
	return identity.Own(p.User), nil
}

func (s *server) connections(w http.ResponseWriter, r *http.Request) error {
	list, err := s.c.Connections.Shown(r, web.PrincipalFrom(r.Context()).User)
	if err != nil {
		return err
	}
	page := api.Page[api.Connection]{Items: []api.Connection{}}
	for _, c := range list {
		one := api.Connection{App: c.App, Host: c.Host, Connected: c.Connected, Login: c.Login, Broken: c.Broken, Start: c.Start}
		if c.Connected {
			one.Made, one.Ends = &c.Made, &c.Ends
		}
		page.Items = append(page.Items, one)
	}
	return answer(w, http.StatusOK, page)
}

func (s *server) disconnect(w http.ResponseWriter, r *http.Request) error {
	if err := s.c.Connections.Disconnect(r, web.PrincipalFrom(r.Context()).User, r.PathValue("app")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
