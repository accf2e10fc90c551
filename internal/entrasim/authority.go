package entrasim

import "strings"

// checkAuthority refuses a tenant that is not this one, and common and organizations to apps of this tenant alone.
func (t *Tenant) checkAuthority(tenant string, app App) *stsError {
	if t.isTenant(tenant) {
		return nil
	}
	if _, unknown := t.issuerFor(tenant); unknown != nil {
		return unknown
	}
	if app.MultiTenant || app.Foreign {
		return nil
	}
	return &stsError{OAuth: "invalid_request", Code: 50194, Message: "Application '" + app.ClientID + "'(" + app.Name +
		") is not configured as a multi-tenant application. Usage of the /" + tenant + " endpoint is not supported for such apps created after '10/15/2018'. " +
		"Use a tenant-specific endpoint or configure the application to be multi-tenant."}
}

// isTokenEndpoint reports whether an address is that of the token endpoint, under any name of an authority.
func (t *Tenant) isTokenEndpoint(address string) bool {
	rest, ours := strings.CutPrefix(address, t.url+"/")
	tenant, ours2 := strings.CutSuffix(rest, "/oauth2/v2.0/token")
	if !ours || !ours2 {
		return false
	}
	_, unknown := t.issuerFor(tenant)
	return unknown == nil
}
