package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

// KeysPath is where the public keys are published.
const KeysPath = "/oauth/jwks"

// KeysRoute publishes the keys with which Lanyard signs, as a JSON Web Key Set (RFC 7517).
func KeysRoute(keys *token.Keys) web.Route {
	return web.Route{
		Method: http.MethodGet, Path: KeysPath,
		Access: web.Public("public keys, by which anybody checks what Lanyard signed"),
		Serve: func(w http.ResponseWriter, _ *http.Request) error {
			set, err := json.Marshal(keys.JWKS())
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", "application/jwk-set+json")
			w.Header().Set("Cache-Control", "public, max-age=300")
			_, err = w.Write(set)
			return err
		},
	}
}
