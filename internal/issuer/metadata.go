package issuer

import (
	"net/http"

	"github.com/lanyardhq/lanyard/internal/web"
)

// description is what RFC 8414 and OpenID Connect Discovery 1.0 have a client read.
type description struct {
	Issuer           string   `json:"issuer"`
	Authorization    string   `json:"authorization_endpoint"`
	Token            string   `json:"token_endpoint"`
	JWKS             string   `json:"jwks_uri"`
	UserInfo         string   `json:"userinfo_endpoint"`
	DeviceAuth       string   `json:"device_authorization_endpoint"`
	Introspection    string   `json:"introspection_endpoint"`
	Revocation       string   `json:"revocation_endpoint"`
	Scopes           []string `json:"scopes_supported"`
	ResponseTypes    []string `json:"response_types_supported"`
	ResponseModes    []string `json:"response_modes_supported"`
	GrantTypes       []string `json:"grant_types_supported"`
	AuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectAuth   []string `json:"introspection_endpoint_auth_methods_supported"`
	RevokeAuth       []string `json:"revocation_endpoint_auth_methods_supported"`
	Challenges       []string `json:"code_challenge_methods_supported"`
	ProofAlgorithms  []string `json:"dpop_signing_alg_values_supported"`
	IDTokenAlgs      []string `json:"id_token_signing_alg_values_supported"`
	Subjects         []string `json:"subject_types_supported"`
	Claims           []string `json:"claims_supported"`
	IssuerInResponse bool     `json:"authorization_response_iss_parameter_supported"`
	RequestURI       bool     `json:"request_uri_parameter_supported"`
}

func (s *Issuer) describe() description {
	auth := []string{authNone, authBasic, authPost}
	return description{
		Issuer: s.c.URL, Authorization: s.url(AuthorizePath), Token: s.url(TokenPath), JWKS: s.url(JWKSPath), UserInfo: s.url(UserInfoPath),
		DeviceAuth: s.url(DeviceAuthPath), Introspection: s.url(IntrospectionPath), Revocation: s.url(RevocationPath),
		Scopes: scopes, ResponseTypes: []string{"code"}, ResponseModes: []string{"query"},
		GrantTypes:  grants,
		AuthMethods: auth, IntrospectAuth: []string{authBasic, authPost}, RevokeAuth: auth,
		Challenges: []string{"S256"}, ProofAlgorithms: []string{"ES256", "ES384", "EdDSA", "PS256", "RS256"},
		IDTokenAlgs:      []string{"ES256", "RS256"}, // ID tokens, and those for clouds, which look here for theirs
		Subjects:         []string{"public"},
		Claims:           []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "sid", "oid", "tid", "name", "preferred_username"},
		IssuerInResponse: true,
	}
}

func (s *Issuer) discovery(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, s.describe())
}

func (s *Issuer) metadata(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, s.describe())
}

func (s *Issuer) jwks(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, s.c.Keys.JWKS())
}
