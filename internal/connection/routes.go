package connection

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

//go:embed connections.html
var pageFile embed.FS

// Routes are the addresses of the pages site under which people connect.
func (s *Service) Routes() ([]web.Route, error) {
	page, err := template.ParseFS(pageFile, "connections.html")
	if err != nil {
		return nil, err
	}
	own := func(_ *http.Request, p identity.Principal) (identity.Resource, error) {
		return identity.Own(p.User), nil
	}
	toSignIn := web.Public("it only leads to the sign-in, and from there to the page")
	return []web.Route{
		{Method: http.MethodGet, Path: "/connections", Access: web.Needs(identity.SelfView), On: own, Serve: s.shows(page)},
		{Method: http.MethodGet, Path: "/connections/{app}", Access: toSignIn, Serve: s.lead},
		{Method: http.MethodGet, Path: "/connections/{app}/start", Access: web.Needs(identity.SelfConnect), On: own, Serve: s.forApp(s.begin)},
		{Method: http.MethodGet, Path: callbackPath + "{app}", Access: web.Needs(identity.SelfConnect), On: own, Serve: s.forApp(s.finish)},
		{Method: http.MethodPost, Path: "/connections/{app}/drop", Access: web.Needs(identity.SelfConnect), On: own, Serve: s.dropped},
	}, nil
}

// lead is the address that git tells its user to open: who is not signed in signs in first.
func (s *Service) lead(w http.ResponseWriter, r *http.Request) error {
	a, err := s.asked(r)
	if err != nil {
		return err
	}
	to := "/connections/" + a.Name + "/start"
	if web.PrincipalFrom(r.Context()).User.IsZero() {
		to = "/login?return=" + url.QueryEscape(to)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (s *Service) asked(r *http.Request) (App, error) {
	a, err := s.app(r.PathValue("app"), "")
	if err != nil || a.SecretFile == "" {
		return App{}, problem.New(problem.NotFound, "There is nothing to connect to under this name.")
	}
	return a, nil
}

func (s *Service) forApp(serve func(http.ResponseWriter, *http.Request, App) error) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := s.asked(r)
		if err != nil {
			return err
		}
		return serve(w, r, a)
	}
}

func (s *Service) dropped(w http.ResponseWriter, r *http.Request) error {
	if err := s.Disconnect(r, web.PrincipalFrom(r.Context()).User, r.PathValue("app")); err != nil {
		return err
	}
	http.Redirect(w, r, "/connections", http.StatusSeeOther)
	return nil
}

// Shown is a connection, or an app without one, as the person may see it.
type Shown struct {
	App, Host, Login string
	Start            string // where it is made or renewed
	Made, Ends       time.Time
	Connected        bool
	Broken           string
}

// Shown lists every app that people connect to, with the person's connection where there is one.
func (s *Service) Shown(r *http.Request, u identity.UserID) ([]Shown, error) {
	rows, err := s.List(r.Context(), u)
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "Your connections cannot be read now. Try again in a moment.")
	}
	shown := []Shown{}
	for _, a := range s.Apps() {
		one := Shown{App: a.Name, Host: a.host(), Start: s.start(a)}
		for _, row := range rows {
			if row.App == a.Name {
				one.Connected, one.Login, one.Made, one.Ends, one.Broken = true, row.Login, row.Made, row.Ends, row.Broken
				if one.Broken == "" && s.c.Now().After(row.Ends) {
					one.Broken = "it was not used for so long that it has ended"
				}
			}
		}
		shown = append(shown, one)
	}
	return shown, nil
}

// style is the page's own; the policy names its hash and lets nothing else run or load.
const style = `body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1c2330;background:#f7f8fa}
main{max-width:40rem;margin:3rem auto;padding:0 1rem}section{background:#fff;border:1px solid #dde1e8;border-radius:8px;padding:.5rem 1.25rem;margin:1rem 0}
h2{font-size:1.1rem}@media(prefers-color-scheme:dark){body{color:#e6e9ef;background:#14171d}section{background:#1c2129;border-color:#333a46}a{color:#8ab4f8}}`

func (s *Service) shows(page *template.Template) web.Handler {
	sum := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return func(w http.ResponseWriter, r *http.Request) error {
		list, err := s.Shown(r, web.PrincipalFrom(r.Context()).User)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", policy)
		return page.Execute(w, struct {
			Style template.CSS
			List  []Shown
		}{style, list})
	}
}
