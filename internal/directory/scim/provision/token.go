package provision

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"crypto/rand"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// TokenPath is where a provisioning service exchanges what it knows for a short-lived token (RFC 6749 §4.4, RFC 7523).
const TokenPath = "/oauth/scim/token"

const (
	tokenPurpose  = "provisioning token"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxForm       = 64 << 10
	defaultScope  = "scim"
)

// claims of a token that Lanyard gave a provisioning service. Nothing else of Lanyard's takes such a token.
type claims struct {
	Credential string `json:"c"`
	Expires    int64  `json:"e"` // Unix seconds
	Nonce      string `json:"n"`
}

// issue makes a token that every replica can check.
func (s *Service) issue(credential string, now time.Time) (string, error) {
	b, err := json.Marshal(claims{credential, now.Add(tokenLifetime).Unix(), rand.Text()})
	if err != nil {
		return "", err
	}
	body := base64.RawURLEncoding.EncodeToString(b)
	return tokenPrefix + body + "." + s.c.Sealer.Tag(tokenPurpose, body), nil
}

// checkToken returns whose token it is, or why it is not taken.
func (s *Service) checkToken(raw string) (credential, why string) {
	body, tag, ok := strings.Cut(strings.TrimPrefix(raw, tokenPrefix), ".")
	if !ok || !s.c.Sealer.Tagged(tokenPurpose, body, tag) {
		return "", "the token was not issued here"
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	var c claims
	if err != nil || json.Unmarshal(b, &c) != nil {
		return "", "the token cannot be read"
	}
	now := s.c.Now()
	if now.Unix() >= c.Expires {
		return "", "the token has expired"
	}
	if c.Credential == federated {
		if !s.c.Assertion.configured() {
			return "", "federation is not configured any more"
		}
		return federated, ""
	}
	found := (*s.credentials.byID.Load())[c.Credential]
	if found.Kind != Client || !found.usable(now) {
		return "", "the token is of " + c.Credential + ", which was revoked or has expired"
	}
	return found.ID, ""
}

// oauthError is an error as RFC 6749 §5.2 has it.
type oauthError struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
	basic       bool
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

func (e *oauthError) write(w http.ResponseWriter) error {
	if e.basic {
		w.Header().Set("WWW-Authenticate", `Basic realm="Lanyard provisioning"`)
	}
	return web.WriteJSON(w, e.status, e)
}

// serveToken is the token endpoint.
func (s *Service) serveToken(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Pragma", "no-cache")
	answer, err := s.exchange(r)
	if refused, ok := errors.AsType[*oauthError](err); ok {
		return refused.write(w)
	}
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, answer)
}

type tokenAnswer struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Scope   string `json:"scope"`
}

func (s *Service) exchange(r *http.Request) (*tokenAnswer, error) {
	wrong := func(code, format string, args ...any) error {
		return &oauthError{status: http.StatusBadRequest, Code: code, Description: fmt.Sprintf(format, args...)}
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
		return nil, wrong("invalid_request", "send a form: application/x-www-form-urlencoded")
	}
	form, err := readForm(r)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope"} {
		if len(form[key]) > 1 {
			return nil, wrong("invalid_request", "%s is given more than once", key)
		}
	}
	if form.Get("grant_type") != "client_credentials" {
		return nil, wrong("unsupported_grant_type", "only client_credentials is supported")
	}
	credential, name, err := s.client(r, form)
	if err != nil {
		return nil, err
	}
	now := s.c.Now()
	token, err := s.issue(credential, now)
	if err != nil {
		return nil, err
	}
	if err := s.credentials.used(r.Context(), credential, web.ClientIP(r)); err != nil {
		s.log.Warn("the use of a provisioning credential could not be noted", "credential", credential, "error", err)
	}
	s.c.Audit(audit.Event{Time: now, Action: "scim:token", Outcome: audit.Done, Actor: actor, Resource: "provisioning", IP: web.ClientIP(r),
		Detail: map[string]any{"credential": credential, "name": name}})
	return &tokenAnswer{token, "Bearer", int(tokenLifetime / time.Second), scope(form.Get("scope"))}, nil
}

func readForm(r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, problem.New(problem.Invalid, "The form cannot be read, or has over %d bytes.", maxForm)
	}
	return r.PostForm, nil
}

// scope is what a token is said to be good for. It is always the same; services compare it with what they asked for.
func scope(asked string) string {
	if asked == "" || len(asked) > 200 || strings.ContainsFunc(asked, func(c rune) bool { return c < 0x20 || c > 0x7e || c == '"' || c == '\\' }) {
		return defaultScope
	}
	return asked
}

// client identifies who asks for a token.
func (s *Service) client(r *http.Request, form url.Values) (credential, name string, err error) {
	id, secret, basic := r.BasicAuth()
	if basic { // RFC 6749 §2.3.1: both are form-encoded first
		id, secret = unescape(id), unescape(secret)
	} else {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	assertion := form.Get("client_assertion")
	if (secret != "") == (assertion != "") {
		return "", "", &oauthError{status: http.StatusBadRequest, Code: "invalid_request", Description: "show either a client_secret or a client_assertion"}
	}
	refuse := func(why string) error {
		if refused, ok := errors.AsType[*scimError](s.refuse(r, why, "")); ok && refused.status == http.StatusTooManyRequests {
			return refused
		}
		return &oauthError{status: http.StatusUnauthorized, Code: "invalid_client", Description: "the client's credential was not accepted; Lanyard's log says why", basic: basic}
	}
	if assertion != "" {
		if form.Get("client_assertion_type") != assertionType {
			return "", "", &oauthError{status: http.StatusBadRequest, Code: "invalid_request", Description: "client_assertion_type is not " + assertionType}
		}
		if why := s.checkAssertion(r.Context(), assertion); why != "" {
			return "", "", refuse("its assertion was refused: " + why)
		}
		return federated, federated, nil
	}
	found, ok := s.credentials.check(secret, Client)
	if !ok {
		return "", "", refuse(s.whyNot(found, Client))
	}
	if found.ID != id {
		return "", "", refuse("it shows the secret of " + found.ID + " as that of another client_id")
	}
	return found.ID, found.Name, nil
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
