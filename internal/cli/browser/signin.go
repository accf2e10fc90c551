package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxPage bounds a page that is read, in bytes.
const maxPage = 1 << 20

// SignIn signs the person in at Lanyard, by the same redirects and the same form as any browser: it opens base+/login,
// fills in the tenant's form, and follows back. Afterwards the browser holds Lanyard's session.
func (b *Browser) SignIn(ctx context.Context, base, user, password string) error {
	page, f, err := b.open(ctx, base+"/login", user)
	if err != nil || f.fields == nil { // the tenant knew the person already and led straight back
		return err
	}
	f.fields.Set("username", user)
	f.fields.Set("password", password)
	resp, err := b.submit(ctx, page, f)
	if err == nil {
		resp, err = b.answered(ctx, resp, base)
	}
	if err != nil {
		return reach(err)
	}
	defer resp.Body.Close()
	return b.arrived(resp, base, user)
}

// SignOut ends the person's sign-in at Lanyard, as the page's button does. What the tenant then shows is not looked at.
func (b *Browser) SignOut(ctx context.Context, base string) error {
	page, err := url.Parse(base)
	if err != nil {
		return err
	}
	resp, err := b.submit(ctx, page, form{action: "/logout", fields: url.Values{}})
	if err != nil {
		return reach(err)
	}
	return resp.Body.Close()
}

// open follows a sign-in to the tenant's page and finds its form. The form has no fields when the sign-in led back to
// Lanyard without it.
func (b *Browser) open(ctx context.Context, address, user string) (*url.URL, form, error) {
	resp, err := b.Visit(ctx, address)
	if err == nil {
		if to, wrong := url.Parse(address); wrong == nil {
			resp, err = b.answered(ctx, resp, origin(to))
		}
	}
	if err == nil && strings.HasPrefix(address, origin(resp.Request.URL)+"/") && resp.StatusCode == http.StatusOK && resp.Request.URL.Path != "/login" {
		resp.Body.Close()
		return nil, form{}, nil
	}
	if err != nil {
		return nil, form{}, reach(err)
	}
	defer resp.Body.Close()
	document, err := html.Parse(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return nil, form{}, fmt.Errorf("read the tenant's sign-in page: %w", err)
	}
	if f, ok := signInForm(document); ok && resp.StatusCode == http.StatusOK {
		return resp.Request.URL, f, nil
	}
	return nil, form{}, problem.New(problem.SignInNeeded, "%s could not begin to sign in: the tenant showed no sign-in page but “%s”.", user, brief(document, resp.Status))
}

// arrived checks that a sign-in ended at Lanyard's own site.
func (b *Browser) arrived(resp *http.Response, base, user string) error {
	home, err := url.Parse(base)
	if err != nil {
		return err
	}
	if resp.Request.URL.Host == home.Host && resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	document, err := html.Parse(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return problem.New(problem.SignInNeeded, "%s was not signed in: %s answered %s.", user, resp.Request.URL.Host, resp.Status)
	}
	return problem.New(problem.SignInNeeded, "%s was not signed in: %s", user, brief(document, resp.Status))
}

func reach(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, whose query is the sign-in's own business
	}
	return problem.New(problem.Unavailable, "The sign-in could not be completed: %v.", err)
}

// form is an HTML form: where it is sent, and what its fields hold before a person fills them in.
type form struct {
	action string
	fields url.Values
}

// signInForm finds the form that asks for a password.
func signInForm(n *html.Node) (form, bool) {
	for d := range n.Descendants() {
		if d.Type != html.ElementNode || d.Data != "form" || !strings.EqualFold(attribute(d, "method"), "post") {
			continue
		}
		f := form{action: attribute(d, "action"), fields: url.Values{}}
		asks := false
		for in := range d.Descendants() {
			if in.Type != html.ElementNode || in.Data != "input" || attribute(in, "name") == "" {
				continue
			}
			f.fields.Set(attribute(in, "name"), attribute(in, "value"))
			asks = asks || strings.EqualFold(attribute(in, "type"), "password")
		}
		if asks {
			return f, true
		}
	}
	return form{}, false
}

// brief is what a page has to say: its error with what helps, else its headline, else otherwise.
func brief(n *html.Node, otherwise string) string {
	var headline string
	var said []string
	for d := range n.Descendants() {
		if d.Type != html.ElementNode {
			continue
		}
		switch named := attribute(d, "data-testid"); {
		case attribute(d, "role") == "alert" || attribute(d, "id") == "error":
			if len(said) == 0 {
				said = append(said, text(d))
			}
		case len(said) > 0 && (named == "help" || named == "help-code" || named == "help-correlation"):
			said = append(said, text(d))
		case d.Data == "h1" && headline == "":
			headline = text(d)
		}
	}
	if len(said) > 0 {
		return strings.Join(said, " ")
	}
	if headline != "" {
		return headline
	}
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == "body" && len(text(d)) > 0 && len(text(d)) < 500 {
			return text(d)
		}
	}
	return otherwise
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is a node's text with white space folded.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Through opens a link to a page whose one button leads to the tenant's form, presses it, signs in there, and returns the
// page to which that leads. The caller closes its body.
func (b *Browser) Through(ctx context.Context, link, user, password string) (*http.Response, error) {
	asked, err := b.Visit(ctx, link)
	if err != nil {
		return nil, reach(err)
	}
	document, err := html.Parse(io.LimitReader(asked.Body, maxPage))
	asked.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the page of the link: %w", err)
	}
	button, ok := hiddenForm(document)
	if !ok || asked.StatusCode != http.StatusOK {
		return nil, problem.New(problem.Invalid, "%s was not asked to go on: “%s”.", user, brief(document, asked.Status))
	}
	resp, err := b.submit(ctx, asked.Request.URL, button)
	if err != nil {
		return nil, reach(err)
	}
	document, err = html.Parse(io.LimitReader(resp.Body, maxPage))
	resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the tenant's sign-in page: %w", err)
	}
	f, ok := signInForm(document)
	if !ok || resp.StatusCode != http.StatusOK {
		return nil, problem.New(problem.SignInNeeded, "%s was not asked to sign in: “%s”.", user, brief(document, resp.Status))
	}
	f.fields.Set("username", user)
	f.fields.Set("password", password)
	if resp, err = b.submit(ctx, resp.Request.URL, f); err != nil {
		return nil, reach(err)
	}
	return resp, nil
}
