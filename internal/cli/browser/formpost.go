package browser

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// answered follows the tenant's page that posts its answer to base by itself, as a browser's script does (response mode
// form_post). Any other page is returned as it came. The caller closes its body.
func (b *Browser) answered(ctx context.Context, resp *http.Response, base string) (*http.Response, error) {
	page, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the tenant's page: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(page))
	if resp.StatusCode != http.StatusOK || strings.HasPrefix(base, origin(resp.Request.URL)) {
		return resp, nil
	}
	document, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return resp, nil // its reader says what is wrong with it
	}
	f, ok := postingForm(document)
	if !ok || !strings.HasPrefix(f.action, base+"/") {
		return resp, nil
	}
	return b.submit(ctx, resp.Request.URL, f)
}

// postingForm finds the one form of a page, of hidden fields alone, that holds an answer to a sign-in.
func postingForm(n *html.Node) (form, bool) {
	f, ok := hiddenForm(n)
	return f, ok && f.fields.Has("state")
}

// hiddenForm finds the one form of a page, of hidden fields alone.
func hiddenForm(n *html.Node) (found form, ok bool) {
	forms := 0
	for d := range n.Descendants() {
		if d.Type != html.ElementNode || d.Data != "form" {
			continue
		}
		forms++
		f := form{action: attribute(d, "action"), fields: url.Values{}}
		hidden := strings.EqualFold(attribute(d, "method"), "post")
		for in := range d.Descendants() {
			if in.Type != html.ElementNode || in.Data != "input" || attribute(in, "name") == "" {
				continue
			}
			hidden = hidden && strings.EqualFold(attribute(in, "type"), "hidden")
			f.fields.Set(attribute(in, "name"), attribute(in, "value"))
		}
		found, ok = f, hidden
	}
	return found, ok && forms == 1
}
