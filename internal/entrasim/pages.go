package entrasim

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.New("").ParseFS(pageFiles, "pages/*.html"))

// render writes a page. Its style and script elements carry the nonce that the policy allows.
func (t *Tenant) render(w http.ResponseWriter, status int, name, policy string, data map[string]any) {
	nonce := randomID(16)
	data["Nonce"], data["Organisation"] = nonce, t.org.Name
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'nonce-"+nonce+"'; "+
		"script-src 'nonce-"+nonce+"'; "+policy)
	h.Set("Referrer-Policy", "same-origin") // with none, a browser sends our own forms with Origin: null
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, name, data); err != nil {
		t.log.Error("a page of the tenant was not written", "page", name, "error", err)
	}
}

type tile struct {
	Name, UserPrincipalName, JobTitle, Link string
	Enabled                                 bool
}

// signInPage lists the people, so that one is chosen by a click, and asks for the password. Its
// form has no form-action policy: the answer to it redirects to the client.
func (t *Tenant) signInPage(w http.ResponseWriter, r *http.Request, req authRequest, wrong *stsError) {
	chosen := r.FormValue("username") // chosen from the list, or typed before
	if chosen == "" {
		chosen = req.LoginHint
	}
	query := authParams(r)
	t.mu.Lock()
	var people []tile
	for _, id := range t.dir.userIDs {
		if u := t.dir.user(id); u != nil && len(people) < 50 {
			pick := copyOf(query)
			pick.Set("username", u.UserPrincipalName)
			people = append(people, tile{u.DisplayName, u.UserPrincipalName, u.JobTitle, r.URL.Path + "?" + pick.Encode(), u.AccountEnabled})
		}
	}
	signedIn := ""
	if s := t.session(r); s != nil && req.Prompt == "select_account" {
		if u, lost := t.standing(s.signIn); lost == nil {
			signedIn = u.UserPrincipalName
		}
	}
	t.mu.Unlock()
	slices.SortFunc(people, func(a, b tile) int { return strings.Compare(a.UserPrincipalName, b.UserPrincipalName) })
	data := map[string]any{
		"App": req.Client.Name, "People": people, "Chosen": chosen, "SignedIn": signedIn, "Action": r.URL.Path + "?" + query.Encode(),
		"Hint": t.org.PasswordHint, "Devices": t.wantsDevice(),
	}
	if wrong != nil {
		data["Code"], data["Error"] = wrong.Code, wrong.Error()
	}
	t.render(w, http.StatusOK, "signin.html", "", data)
}

// authParams are the parameters of the authorization request, without what the page's form adds.
func authParams(r *http.Request) url.Values {
	params := copyOf(r.Form)
	for _, own := range []string{"action", "username", "password", "device", "code", "deny", "everybody"} {
		params.Del(own)
	}
	return params
}

func copyOf(v url.Values) url.Values {
	c := url.Values{}
	for k, list := range v {
		c[k] = list[:1]
	}
	return c
}

// errorPage is shown instead of a redirect when the client cannot be trusted with one.
func (t *Tenant) errorPage(w http.ResponseWriter, r *http.Request, e *stsError) {
	tr := t.newTrace(r)
	t.log.Info("the tenant refused an authorization request", "error", e.OAuth, "aadsts", e.Code)
	t.render(w, http.StatusBadRequest, "error.html", "", map[string]any{
		"Code": e.Code, "Message": e.Error(), "Trace": tr.Trace, "Correlation": tr.Correlation, "Time": tr.timestamp(),
	})
}

// refusalPage is the error page for a client that is known: a person may go back to it, and it is told what went wrong.
func (t *Tenant) refusalPage(w http.ResponseWriter, r *http.Request, req authRequest, e *stsError) {
	tr := t.newTrace(r)
	t.log.Info("the tenant refused a sign-in", "error", e.OAuth, "aadsts", e.Code)
	params := url.Values{"error": {or(e.OAuth, "access_denied")}, "error_description": {e.description(tr)}}
	if e.OAuth == "invalid_grant" {
		params.Set("error", "access_denied")
	}
	if req.State != "" {
		params.Set("state", req.State)
	}
	data := map[string]any{"Code": e.Code, "Message": e.Error(), "Trace": tr.Trace, "Correlation": tr.Correlation, "Time": tr.timestamp(), "App": req.Client.Name}
	switch {
	case req.RedirectURI == "":
	case req.ResponseMode == "form_post":
		data["BackTo"], data["Params"] = req.RedirectURI, params
	default:
		data["Back"] = redirectTo(req.RedirectURI, params, req.ResponseMode == "fragment")
	}
	t.render(w, http.StatusBadRequest, "error.html", "", data)
}

// formPost answers in the form_post mode: a form that sends itself, or by a click without script.
func (t *Tenant) formPost(w http.ResponseWriter, to string, params url.Values) {
	t.render(w, http.StatusOK, "formpost.html", "", map[string]any{"To": to, "Params": params})
}
