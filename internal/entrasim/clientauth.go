package entrasim

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticateClient finds the client of a token request and checks its credential: HTTP Basic, a
// secret in the body, or a signed assertion. acr is the azpacr of its tokens: "0" for a public
// client, "1" for a secret, "2" for a certificate.
func (t *Tenant) authenticateClient(r *http.Request) (client App, acr string, refused *stsError) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, secret = formDecoded(user), formDecoded(password) // RFC 6749, section 2.3.1
	}
	assertion := r.PostForm.Get("client_assertion")
	if id == "" && assertion != "" {
		id = unverifiedSubject(assertion)
	}
	if id == "" {
		return App{}, "", missing("client_id")
	}
	t.mu.Lock()
	client, known := t.app(id)
	t.mu.Unlock()
	switch {
	case !known:
		return App{}, "", t.unknownClient(id)
	case client.usable(t.org.Name) != nil:
		return App{}, "", client.usable(t.org.Name)
	case client.Public && (secret != "" || assertion != ""):
		return App{}, "", &stsError{Status: http.StatusUnauthorized, OAuth: "invalid_client", Code: 700025,
			Message: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."}
	case client.Public:
		return client, "0", nil
	case assertion != "":
		if token, foreign := issuedElsewhere(assertion, client.ClientID); foreign {
			return client, "2", t.checkFederated(r, client, assertion, token)
		}
		return client, "2", t.checkAssertion(r, client, assertion)
	case secret == "" && len(client.NativeURIs) > 0:
		return client, "0", nil // enough for what was signed in to on somebody's machine
	case secret == "":
		return App{}, "", errNoCredential()
	}
	return client, "1", client.checkSecret(secret, t.now())
}

func errNoCredential() *stsError {
	return &stsError{Status: http.StatusUnauthorized, OAuth: "invalid_client", Code: 7000218,
		Message: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
}

func formDecoded(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

type assertionClaims struct {
	Audience  string      `json:"aud"`
	Issuer    string      `json:"iss"`
	Subject   string      `json:"sub"`
	ID        string      `json:"jti"`
	NotBefore json.Number `json:"nbf"`
	Expires   json.Number `json:"exp"`
}

// unverifiedSubject reads whom an assertion claims to speak for, to look the client up.
func unverifiedSubject(assertion string) string {
	parsed, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.PS256, jose.RS256})
	if err != nil {
		return ""
	}
	var c assertionClaims
	if json.Unmarshal(parsed.UnsafePayloadWithoutVerification(), &c) != nil {
		return ""
	}
	return c.Subject
}

// checkAssertion checks a client assertion (RFC 7523) against the app's certificates. See [thumbprint].
func (t *Tenant) checkAssertion(r *http.Request, client App, assertion string) *stsError {
	failed := func(why string) *stsError {
		return &stsError{Status: http.StatusUnauthorized, OAuth: "invalid_client", Code: 700027,
			Message: "The certificate with identifier used to sign the client assertion is not registered on application, or the assertion is not valid: " + why + "."}
	}
	if r.PostForm.Get("client_assertion_type") != assertionType {
		return missing("client_assertion_type")
	}
	parsed, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.PS256, jose.RS256})
	if err != nil || len(parsed.Signatures) != 1 {
		return failed("it is not a JWT signed with PS256 or RS256")
	}
	names := thumbprint(parsed.Signatures[0].Protected.ExtraHeaders)
	var payload []byte
	for _, der := range client.Certificates {
		if cert, err := x509.ParseCertificate(der); err == nil && names(der) {
			if payload, err = parsed.Verify(cert.PublicKey); err != nil {
				return failed("its signature does not verify")
			}
			if over := expiredKey(cert, t.now()); over != "" {
				return failed(over)
			}
		}
	}
	var c assertionClaims
	if payload == nil || json.Unmarshal(payload, &c) != nil {
		return failed("no certificate of the application has its thumbprint")
	}
	now := t.now().Unix()
	expires, errExp := c.Expires.Int64()
	notBefore, errNbf := c.NotBefore.Int64()
	switch {
	case !t.isTokenEndpoint(c.Audience) && c.Audience != t.Issuer():
		return failed("its audience is not the token endpoint")
	case c.Issuer != client.ClientID || c.Subject != client.ClientID || c.ID == "":
		return failed("iss and sub must be the client ID, and jti must be there")
	case errExp != nil || errNbf != nil || now > expires+300 || now < notBefore-300:
		return failed("it is not valid now")
	}
	return nil
}

// thumbprint tells whether an assertion's header names a certificate: by its SHA-256 (x5t#S256) or, as older libraries do,
// by its SHA-1 (x5t); in base64url or, as Microsoft's own library writes it, in padded standard base64.
func thumbprint(header map[jose.HeaderKey]any) func(der []byte) bool {
	read := func(name jose.HeaderKey) string {
		s, _ := header[name].(string)
		return strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(s)
	}
	two, one := read("x5t#S256"), read("x5t")
	return func(der []byte) bool {
		if two != "" {
			sum := sha256.Sum256(der)
			return two == base64.RawURLEncoding.EncodeToString(sum[:])
		}
		sum := sha1.Sum(der)
		return one == base64.RawURLEncoding.EncodeToString(sum[:])
	}
}
