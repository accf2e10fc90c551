package issuer

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// refusal is an error as OAuth words it (RFC 6749 section 5.2 and the registry of OAuth extensions errors).
type refusal struct {
	status int
	code   string
	text   string // error_description, for whoever reads the client's log
	nonce  string // a new DPoP nonce, where one is wanted
	scheme string // of WWW-Authenticate; empty: none
}

func (r *refusal) Error() string { return r.code + ": " + r.text }

// AddTo adds what an answer carries in its header: a challenge (RFC 6750 section 3), and a nonce for the next proof.
func (r *refusal) AddTo(h http.Header) {
	if r.nonce != "" {
		h.Set("DPoP-Nonce", r.nonce)
	}
	if r.status == http.StatusTooManyRequests {
		h.Set("Retry-After", "60")
	}
	if r.scheme != "" {
		h.Set("WWW-Authenticate", fmt.Sprintf("%s error=%q, error_description=%q", r.scheme, r.code, printable(r.text)))
	}
}

// The codes.
const (
	invalidRequest       = "invalid_request"
	invalidClient        = "invalid_client"
	invalidGrant         = "invalid_grant"
	invalidScope         = "invalid_scope"
	invalidTarget        = "invalid_target" // RFC 8707
	invalidToken         = "invalid_token"  // RFC 6750
	invalidProof         = "invalid_dpop_proof"
	useNonce             = "use_dpop_nonce"
	unauthorizedClient   = "unauthorized_client"
	unsupportedGrant     = "unsupported_grant_type"
	unsupportedResponse  = "unsupported_response_type"
	accessDenied         = "access_denied"
	loginRequired        = "login_required" // OpenID Connect Core section 3.1.2.6
	authorizationPending = "authorization_pending"
	slowDown             = "slow_down"
	expiredToken         = "expired_token"
	temporarily          = "temporarily_unavailable"
)

func refuse(code, format string, args ...any) *refusal {
	status := http.StatusBadRequest
	switch code {
	case invalidClient, invalidToken:
		status = http.StatusUnauthorized
	case temporarily:
		status = http.StatusServiceUnavailable
	}
	return &refusal{status: status, code: code, text: fmt.Sprintf(format, args...)}
}

// oauth makes a handler of one that answers with a value, or refuses. What an error says beyond its kind stays in the log.
func oauth(answer func(http.ResponseWriter, *http.Request) (any, error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := answer(w, r)
		if err == nil {
			if v == nil {
				w.Header().Set("Cache-Control", "no-store")
				w.WriteHeader(http.StatusOK)
				return nil
			}
			return web.WriteJSON(w, http.StatusOK, v)
		}
		var refused *refusal
		if !errors.As(err, &refused) {
			switch kind := problem.KindOf(err); kind {
			case problem.Internal:
				return err
			case problem.Unavailable:
				refused = refuse(temporarily, "%s", problem.Message(err))
			default:
				refused = refuse(accessDenied, "%s", problem.Message(err))
			}
		}
		refused.AddTo(w.Header())
		return web.WriteJSON(w, refused.status, struct {
			Code string `json:"error"`
			Text string `json:"error_description,omitempty"`
		}{refused.code, printable(refused.text)})
	}
}

// printable keeps of a text what error_description may hold (RFC 6749 section 5.2): ASCII without quotes and backslashes.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return -1
		}
		return c
	}, s)
}
