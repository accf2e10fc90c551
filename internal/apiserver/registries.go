package apiserver

import (
	"context"
	"net/http"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Registries are people's own credentials for registries of images, as setting.Registries keeps them.
type Registries interface {
	Login(ctx context.Context, u identity.UserID, host, user, password string) (setting.RegistryLogin, error)
	Logout(ctx context.Context, u identity.UserID, host string) error
	List(context.Context, identity.UserID) ([]setting.RegistryLogin, error)
}

func (s *server) registryEndpoints() []endpoint {
	const path = "/registries"
	return []endpoint{
		{method: http.MethodGet, path: path, access: web.Needs(identity.SelfRegistry), on: ownThings, serve: s.registries, query: paged(), out: api.Page[api.RegistryLogin]{},
			says: "One's own credentials for registries of images, without their passwords"},
		{method: http.MethodPost, path: path, access: web.Asks(inBody), serve: s.storeRegistry, in: api.StoreRegistryLogin{}, out: api.RegistryLogin{},
			says: "Stores one, once the registry has taken it, for the images of what oneself starts"},
		{method: http.MethodDelete, path: path, access: web.Asks(ownOrAll), serve: s.dropRegistry, status: http.StatusNoContent,
			query: []param{{"host", "The registry"}}, says: "Removes one"},
	}
}

func registryLoginOf(l setting.RegistryLogin) api.RegistryLogin {
	out := api.RegistryLogin{Host: l.Named(), User: l.User, Changed: l.Changed}
	if !l.Used.IsZero() {
		out.Used = &l.Used
	}
	return out
}

func (s *server) registries(w http.ResponseWriter, r *http.Request) error {
	all, err := s.c.Registries.List(r.Context(), web.PrincipalFrom(r.Context()).User)
	if err != nil {
		return err
	}
	var list []api.RegistryLogin
	for _, l := range all {
		list = append(list, registryLoginOf(l))
	}
	page, err := pageOf(r, list, func(l api.RegistryLogin) string { return l.Host })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

func (s *server) storeRegistry(w http.ResponseWriter, r *http.Request) error {
	if err := known(r); err != nil {
		return err
	}
	var o api.StoreRegistryLogin
	if err := read(r, &o); err != nil {
		return err
	}
	request, err := s.aboutRegistry(r, o.Host)
	if err != nil {
		return err
	}
	return s.openFor(w, r, request, func(w http.ResponseWriter, r *http.Request) error {
		l, err := s.c.Registries.Login(r.Context(), request.Principal.User, o.Host, o.User, o.Password)
		if err != nil {
			return err
		}
		return answer(w, http.StatusOK, registryLoginOf(l))
	})
}

func (s *server) dropRegistry(w http.ResponseWriter, r *http.Request) error {
	host := r.URL.Query().Get("host")
	request, err := s.aboutRegistry(r, host)
	if err != nil {
		return err
	}
	request.Detail["removed"] = true
	return s.openFor(w, r, request, func(w http.ResponseWriter, r *http.Request) error {
		if err := s.c.Registries.Logout(r.Context(), request.Principal.User, host); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// aboutRegistry asks to change one's own credential for a registry. The log has the registry, and nothing of the credential.
func (s *server) aboutRegistry(r *http.Request, host string) (access.Request, error) {
	who, err := s.somebody(r)
	if err != nil {
		return access.Request{}, err
	}
	if host, err = setting.RegistryHost(host); err != nil {
		return access.Request{}, err
	}
	request := s.request(r, identity.SelfRegistry, identity.Own(who.User))
	request.Durable = true
	request.Detail["registry"] = host
	return request, nil
}
