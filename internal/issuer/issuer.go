// Package issuer is Lanyard's OAuth and OpenID endpoints. So far they are what somebody needs who verifies an
// assertion: where the keys are, and the keys.
package issuer

import (
	"net/http"

	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

// JWKSPath is where the public keys are (RFC 7517).
const JWKSPath = "/oauth/jwks"

// Routes are the issuer's routes of the machine site. url is the issuer.
func Routes(url string, keys *token.Keys) []web.Route {
	discovery := struct {
		Issuer  string   `json:"issuer"`
		JWKS    string   `json:"jwks_uri"`
		Algs    []string `json:"id_token_signing_alg_values_supported"`
		Subject []string `json:"subject_types_supported"`
	}{url, url + JWKSPath, []string{"ES256"}, []string{"public"}}
	return []web.Route{
		{Method: http.MethodGet, Path: "/.well-known/openid-configuration", Access: web.Public("it says where the public keys are"),
			Serve: func(w http.ResponseWriter, _ *http.Request) error { return web.WriteJSON(w, http.StatusOK, discovery) }},
		{Method: http.MethodGet, Path: JWKSPath, Access: web.Public("public keys"),
			Serve: func(w http.ResponseWriter, _ *http.Request) error {
				return web.WriteJSON(w, http.StatusOK, keys.JWKS())
			}},
	}
}
