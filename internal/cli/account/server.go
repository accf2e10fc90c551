package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// clientID is what the command is registered as at every Lanyard.
const clientID = "lanyard-cli"

// server is what a server says of its endpoints (RFC 8414).
type server struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Device        string `json:"device_authorization_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
}

// discover asks a server for its endpoints. All are its own: tokens go nowhere else.
func (s *Store) discover(ctx context.Context, base string) (server, error) {
	var found server
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		return found, err
	}
	resp, err := s.HTTP.Do(r)
	if err != nil {
		return found, problem.Wrap(err, problem.Unavailable, "%s cannot be reached (%v).", base, reason(err))
	}
	defer resp.Body.Close()
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&found)
	if resp.StatusCode != http.StatusOK || err != nil {
		return found, problem.Wrap(err, problem.Invalid, "%s is not a Lanyard: it does not say where to sign in.", base)
	}
	if found.Issuer != base {
		return found, problem.New(problem.Invalid, "%s calls itself %s. Sign in there: lanyard login %s", base, found.Issuer, found.Issuer)
	}
	for _, endpoint := range []string{found.Authorization, found.Token, found.Device, found.Revocation} {
		if !strings.HasPrefix(endpoint, base+"/") {
			return found, problem.New(problem.Invalid, "%s has an endpoint elsewhere (%s), which is not trusted.", base, endpoint)
		}
	}
	return found, nil
}

// refused is an error as OAuth words it.
type refused struct {
	Code string `json:"error"`
	Text string `json:"error_description"`
}

func (r *refused) Error() string {
	if r.Text == "" {
		return r.Code
	}
	return r.Text + " (" + r.Code + ")"
}

// post sends a form with a proof, and again with the nonce that the server wants in it.
func (s *Store) post(ctx context.Context, v *secret, endpoint string, form url.Values, out any) error {
	form.Set("client_id", clientID)
	to, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		proof, err := v.proof(http.MethodPost, to, "", s.now())
		if err != nil {
			return err
		}
		r.Header.Set("DPoP", proof)
		resp, err := s.HTTP.Do(r)
		if err != nil {
			return problem.Wrap(err, problem.Unavailable, "%s cannot be reached (%v).", to.Scheme+"://"+to.Host, reason(err))
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		resp.Body.Close()
		if err != nil {
			return problem.Wrap(err, problem.Unavailable, "The answer of %s was cut off.", to.Host)
		}
		if nonce := resp.Header.Get("DPoP-Nonce"); nonce != "" {
			v.Nonce = nonce
		}
		if resp.StatusCode == http.StatusOK {
			if out == nil {
				return nil
			}
			return json.Unmarshal(body, out)
		}
		var no refused
		if json.Unmarshal(body, &no) != nil || no.Code == "" {
			return problem.New(problem.Unavailable, "%s answered %s.", to.Host, resp.Status)
		}
		if no.Code == "use_dpop_nonce" && attempt == 0 {
			continue
		}
		return &no
	}
}

// tokens is what the token endpoint gives.
type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Refresh string `json:"refresh_token"`
}

// take keeps new tokens in a secret.
func (v *secret) take(t tokens, now time.Time) error {
	if t.Access == "" || !strings.EqualFold(t.Type, "DPoP") {
		return fmt.Errorf("the server gave a token of type %q, not one that is bound to a key", t.Type)
	}
	v.Access, v.Ends = t.Access, now.Add(time.Duration(t.Expires)*time.Second)
	if t.Refresh != "" {
		v.Refresh = t.Refresh
	}
	return nil
}

func codeOf(err error) string {
	var no *refused
	if errors.As(err, &no) {
		return no.Code
	}
	return ""
}

// reason is why there was no answer, without the address that the message names already.
func reason(err error) error {
	var way *url.Error
	if errors.As(err, &way) {
		return way.Err
	}
	return err
}
