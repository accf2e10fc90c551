package entrasim

import (
	"errors"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Page is a page of the portal, /portal/NAME, that another part of the tenant brings.
type Page struct {
	// Body is the template below the heading. It sees .Form, the token that its forms carry as the field "form", and
	// .Data.
	Body *template.Template
	Data func() any
	// Forms are what POST /portal/NAME/ACTION does; an error is shown on the page.
	Forms map[string]func(*http.Request) error
}

// AddPage adds a page to the portal.
func (t *Tenant) AddPage(name string, p Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.added[name] = p
}

func (t *Tenant) addedBy(name string) (Page, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.added[name]
	return p, ok
}

func (t *Tenant) pageNames() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.added))
}

func (t *Tenant) addedPages(mux *http.ServeMux) {
	mux.HandleFunc("GET /portal/{page}", func(w http.ResponseWriter, r *http.Request) {
		t.addedPage(w, r, http.StatusOK, nil)
	})
	mux.Handle("POST /portal/{page}/{action}", http.NewCrossOriginProtection().Handler(http.HandlerFunc(t.addedForm)))
}

func (t *Tenant) addedForm(w http.ResponseWriter, r *http.Request) {
	p, _ := t.addedBy(r.PathValue("page"))
	do := p.Forms[r.PathValue("action")]
	switch {
	case do == nil:
		http.NotFound(w, r)
	case !t.ownForm(w, r):
		t.addedPage(w, r, http.StatusForbidden, errors.New("this form is not from this page, or the page is old; nothing was changed"))
	default:
		if err := do(r); err != nil {
			t.addedPage(w, r, http.StatusUnprocessableEntity, err)
			return
		}
		http.Redirect(w, r, "/portal/"+r.PathValue("page"), http.StatusSeeOther)
	}
}

func (t *Tenant) addedPage(w http.ResponseWriter, r *http.Request, status int, failed error) {
	name := r.PathValue("page")
	p, known := t.addedBy(name)
	if !known {
		http.NotFound(w, r)
		return
	}
	var body strings.Builder
	if err := p.Body.Execute(&body, map[string]any{"Form": t.formToken(), "Data": p.Data()}); err != nil {
		t.log.Error("a page of the portal was not made", "page", name, "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	noStore(w)
	data := map[string]any{"Title": name, "Body": template.HTML(body.String())} // escaped by the page's own template
	if failed != nil {
		data["Error"] = failed.Error()
	}
	t.render(w, status, "added.html", "form-action 'self'", data)
}
