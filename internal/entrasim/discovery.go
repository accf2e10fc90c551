package entrasim

import (
	"net/http"
	"net/url"
	"strings"
)

func (t *Tenant) oidcRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", t.serveDiscovery)
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", t.serveKeys)
	mux.HandleFunc("GET /common/discovery/instance", t.serveInstance)
	mux.HandleFunc("GET /{tenant}/oauth2/v2.0/authorize", t.serveAuthorize)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/authorize", t.serveAuthorize)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", t.serveToken)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/devicecode", t.serveDeviceCode)
	mux.HandleFunc("GET /error", t.serveErrorLookup)
	mux.HandleFunc("GET "+devicePath, t.serveDevicePage)
	mux.Handle("POST "+devicePath, http.NewCrossOriginProtection().Handler(http.HandlerFunc(t.serveDeviceForm)))
	for _, tenant := range []string{t.org.TenantID, t.org.Domain, "common", "organizations"} { // {tenant} would be the portal's too
		for _, path := range []string{"/adminconsent", "/v2.0/adminconsent"} {
			mux.HandleFunc("GET /"+tenant+path, t.serveAdminConsent)
			mux.HandleFunc("POST /"+tenant+path, t.serveAdminConsent)
		}
	}
	mux.HandleFunc("GET /{tenant}/oauth2/v2.0/logout", t.serveLogout)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/logout", t.serveLogout)
	mux.HandleFunc("GET /oidc/userinfo", t.serveUserinfo)
	mux.HandleFunc("POST /oidc/userinfo", t.serveUserinfo)
}

// issuerFor gives the issuer of the authority that a path names: the tenant by GUID or verified
// domain, or the template of common and organizations.
func (t *Tenant) issuerFor(tenant string) (string, *stsError) {
	switch {
	case t.isTenant(tenant):
		return t.Issuer(), nil
	case tenant == "common", tenant == "organizations":
		return t.url + "/{tenantid}/v2.0", nil
	}
	return "", &stsError{Status: http.StatusBadRequest, OAuth: "invalid_tenant", Code: 90002, Message: "Tenant '" + tenant +
		"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."}
}

func (t *Tenant) isTenant(name string) bool {
	return strings.EqualFold(name, t.org.TenantID) || strings.EqualFold(name, t.org.Domain)
}

// discovery is the v2.0 document with the fields of the real one, and none besides: it does not
// mention code_challenge_methods_supported, grant_types_supported, introspection or revocation.
type discovery struct {
	TokenEndpoint                    string   `json:"token_endpoint"`
	TokenEndpointAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	JWKSURI                          string   `json:"jwks_uri"`
	ResponseModes                    []string `json:"response_modes_supported"`
	SubjectTypes                     []string `json:"subject_types_supported"`
	IDTokenSigningAlgValuesSupported []string `json:"id_token_signing_alg_values_supported"`
	ResponseTypes                    []string `json:"response_types_supported"`
	Scopes                           []string `json:"scopes_supported"`
	Issuer                           string   `json:"issuer"`
	RequestURIParameterSupported     bool     `json:"request_uri_parameter_supported"`
	UserinfoEndpoint                 string   `json:"userinfo_endpoint"`
	AuthorizationEndpoint            string   `json:"authorization_endpoint"`
	DeviceAuthorizationEndpoint      string   `json:"device_authorization_endpoint"`
	HTTPLogoutSupported              bool     `json:"http_logout_supported"`
	FrontchannelLogoutSupported      bool     `json:"frontchannel_logout_supported"`
	EndSessionEndpoint               string   `json:"end_session_endpoint"`
	Claims                           []string `json:"claims_supported"`
	KerberosEndpoint                 string   `json:"kerberos_endpoint"`
	TenantRegionScope                *string  `json:"tenant_region_scope"`
	CloudInstanceName                string   `json:"cloud_instance_name"`
	CloudGraphHostName               string   `json:"cloud_graph_host_name"`
	MSGraphHost                      string   `json:"msgraph_host"`
	RBACURL                          string   `json:"rbac_url"`
}

func (t *Tenant) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	tenant := r.PathValue("tenant")
	issuer, failed := t.issuerFor(tenant)
	if failed != nil {
		t.writeSTS(w, r, failed)
		return
	}
	region, segment := new(string), t.org.TenantID
	*region = "WW"
	if !t.isTenant(tenant) {
		region, segment = nil, tenant
	}
	at := t.url + "/" + segment
	t.metadataHeaders(w)
	writeJSON(w, http.StatusOK, discovery{
		TokenEndpoint:                    at + "/oauth2/v2.0/token",
		TokenEndpointAuthMethods:         []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		JWKSURI:                          at + "/discovery/v2.0/keys",
		ResponseModes:                    []string{"query", "fragment", "form_post"},
		SubjectTypes:                     []string{"pairwise"},
		IDTokenSigningAlgValuesSupported: []string{"RS256"},
		ResponseTypes:                    []string{"code", "id_token", "code id_token", "id_token token"},
		Scopes:                           []string{"openid", "profile", "email", "offline_access"},
		Issuer:                           issuer,
		UserinfoEndpoint:                 t.url + "/oidc/userinfo",
		AuthorizationEndpoint:            at + "/oauth2/v2.0/authorize",
		DeviceAuthorizationEndpoint:      at + "/oauth2/v2.0/devicecode",
		HTTPLogoutSupported:              true,
		FrontchannelLogoutSupported:      true,
		EndSessionEndpoint:               at + "/oauth2/v2.0/logout",
		Claims: []string{"sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name",
			"msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver",
			"at_hash", "c_hash", "email"},
		KerberosEndpoint:   at + "/kerberos",
		TenantRegionScope:  region,
		CloudInstanceName:  "microsoftonline.com",
		CloudGraphHostName: "graph.windows.net",
		MSGraphHost:        t.host,
		RBACURL:            "https://pas.windows.net",
	})
}

// serveInstance answers the instance discovery of Microsoft's client libraries.
func (t *Tenant) serveInstance(w http.ResponseWriter, r *http.Request) {
	tenant := t.org.TenantID
	if asked, err := url.Parse(r.FormValue("authorization_endpoint")); err == nil {
		if first, _, _ := strings.Cut(strings.TrimPrefix(asked.Path, "/"), "/"); first != "" {
			tenant = first
		}
	}
	if _, failed := t.issuerFor(tenant); failed != nil {
		t.writeSTS(w, r, failed)
		return
	}
	t.metadataHeaders(w)
	writeJSON(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": t.url + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []any{map[string]any{
			"preferred_network": t.host, "preferred_cache": t.host, "aliases": []string{t.host},
		}},
	})
}

func (t *Tenant) metadataHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "max-age=86400, private")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, OPTIONS")
	t.serviceHeaders(w)
}
