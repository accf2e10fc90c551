package probe

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// mismatch is what a page of the tenant says of a redirect address that it does not know.
var mismatch = regexp.MustCompile(`AADSTS(50011|900971)\b`)

// Redirect asks the tenant's authorization endpoint for a silent answer (prompt=none, OpenID Connect Core 3.1.2.1) to a
// redirect address. One that is registered gets it, as an error, since nobody is signed in here; one that is not is never
// led to. Neither may be said by an answer that is something else.
func (p Prober) Redirect(ctx context.Context, issuer, authorize, clientID, redirect string) (known, refused bool, says string) {
	if !asked(issuer, authorize) {
		return false, false, ""
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	q := url.Values{"client_id": {clientID}, "response_type": {"code"}, "response_mode": {"query"}, "scope": {"openid"}, "prompt": {"none"},
		"redirect_uri": {redirect}, "state": {"doctor"}, "nonce": {"doctor"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}} // RFC 7636, appendix B
	separator := "?"
	if strings.Contains(authorize, "?") {
		separator = "&"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, authorize+separator+q.Encode(), nil)
	if err != nil {
		return false, false, ""
	}
	res, err := p.still().Do(r)
	if err != nil {
		return false, false, ""
	}
	defer res.Body.Close()
	if to := res.Header.Get("Location"); to != "" {
		return to == redirect || strings.HasPrefix(to, redirect+"?"), false, ""
	}
	page, err := io.ReadAll(io.LimitReader(res.Body, atMost))
	if err != nil {
		return false, false, ""
	}
	if found := mismatch.Find(page); found != nil {
		return false, true, string(found)
	}
	return false, false, ""
}

// firstLine is what of an error's description is for people, without control characters.
func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.ReplaceAll(s, "\r", "\n"), "\n")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 300)]
}
