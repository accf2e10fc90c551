package entrasim

// v1Issuer is the `iss` of access tokens for a resource that did not ask for version 2.
func (t *Tenant) v1Issuer() string { return "https://sts.windows.net/" + t.org.TenantID + "/" }

// versioned gives an access token the form that its resource accepts: an application object whose
// api.requestedAccessTokenVersion is not 2 gets version 1, whoever asks and however.
//
// https://learn.microsoft.com/entra/identity-platform/access-tokens#token-formats
func (t *Tenant) versioned(c map[string]any, resource App) map[string]any {
	if resource.registered.Manifest == nil {
		return c
	}
	if m, err := read(resource.registered.Manifest); err != nil || m.API.RequestedAccessTokenVersion == 2 {
		return c
	}
	c["ver"], c["iss"] = "1.0", t.v1Issuer()
	c["aud"] = "api://" + resource.ClientID
	if len(resource.IdentifierURIs) > 0 {
		c["aud"] = resource.IdentifierURIs[0]
	}
	for v2, v1 := range map[string]string{"azp": "appid", "azpacr": "appidacr", "preferred_username": "unique_name"} {
		if value, there := c[v2]; there {
			c[v1] = value
			delete(c, v2)
		}
	}
	if name, there := c["unique_name"]; there {
		c["upn"], c["acr"], c["amr"] = name, "1", []string{"pwd"}
	} else {
		c["idp"] = t.v1Issuer()
	}
	return c
}
