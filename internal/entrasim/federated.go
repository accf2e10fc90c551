package entrasim

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// FederatedCredential lets tokens of another issuer stand for the app (a federated identity credential): issuer, subject
// and audience are compared to the letter.
//
// https://learn.microsoft.com/graph/api/resources/federatedidentitycredential
type FederatedCredential struct {
	Name     string
	Issuer   string // serves /.well-known/openid-configuration
	Subject  string
	Audience string // api://AzureADTokenExchange, as a rule

	ID, Description string    // ID empty: made of the rest
	Made            time.Time // through Graph; for a while nobody knows it yet
}

const discoveryTime = 5 * time.Second

type federatedClaims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	Expires  json.Number     `json:"exp"`
}

// audiences takes a string as well as a list of them.
func (c federatedClaims) audiences() []string {
	var one string
	if json.Unmarshal(c.Audience, &one) == nil {
		return []string{one}
	}
	var several []string
	_ = json.Unmarshal(c.Audience, &several) // none then
	return several
}

// issuedElsewhere reports that an assertion is another issuer's token and not the app's own. Nothing is verified.
func issuedElsewhere(assertion, clientID string) (federatedClaims, bool) {
	parsed, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.PS256, jose.RS256})
	var c federatedClaims
	if err != nil || json.Unmarshal(parsed.UnsafePayloadWithoutVerification(), &c) != nil {
		return federatedClaims{}, false
	}
	return c, c.Issuer != "" && c.Issuer != clientID
}

// checkFederated checks another issuer's token against the app's federated credentials: RS256, one audience, the subject
// to the letter, signed by a key that the issuer publishes.
func (t *Tenant) checkFederated(r *http.Request, client App, assertion string, c federatedClaims) *stsError {
	refused := func(code int, format string, args ...any) *stsError {
		return &stsError{Status: http.StatusUnauthorized, OAuth: "invalid_client", Code: code, Message: fmt.Sprintf(format, args...)}
	}
	if r.PostForm.Get("client_assertion_type") != assertionType {
		return missing("client_assertion_type")
	}
	code, what, value := 700211, "issuer", c.Issuer
	audiences := c.audiences()
	for _, f := range client.Federated {
		switch {
		case f.Issuer != c.Issuer:
		case f.Subject != c.Subject:
			code, what, value = 700213, "subject", c.Subject
		case len(audiences) != 1 || audiences[0] != f.Audience:
			code, what, value = 700212, "audience", strings.Join(audiences, " ")
		default:
			if err := t.verifyFederated(r.Context(), c, assertion); err != nil {
				return refused(700223, "The federated token cannot be verified: %v.", err)
			}
			if expires, err := c.Expires.Int64(); err != nil || t.now().Unix() > expires+300 {
				return refused(700024, "Client assertion is not within its valid time range.")
			}
			return nil
		}
	}
	return refused(code, "No matching federated identity record found for presented assertion %s '%s'.", what, value)
}

func (t *Tenant) verifyFederated(ctx context.Context, c federatedClaims, assertion string) error {
	ctx, cancel := context.WithTimeout(ctx, discoveryTime)
	defer cancel()
	var found struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := t.fetch(ctx, strings.TrimSuffix(c.Issuer, "/")+"/.well-known/openid-configuration", &found); err != nil {
		return err
	}
	if found.Issuer != c.Issuer {
		return fmt.Errorf("its issuer's discovery document is that of %q", found.Issuer)
	}
	var keys jose.JSONWebKeySet
	if err := t.fetch(ctx, found.Keys, &keys); err != nil {
		return err
	}
	parsed, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return fmt.Errorf("it is not signed with RS256")
	}
	for _, key := range keys.Key(parsed.Signatures[0].Header.KeyID) {
		if _, err := parsed.Verify(key); err == nil {
			return nil
		}
	}
	return fmt.Errorf("no key of its issuer has signed it")
}

func (t *Tenant) fetch(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("its issuer has no address")
	}
	answer, err := t.deliver.Do(req)
	if err != nil {
		return fmt.Errorf("its issuer is out of reach: %s", reason(err))
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(content, into) != nil {
		return fmt.Errorf("its issuer answers with no document")
	}
	return nil
}
