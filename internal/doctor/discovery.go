package doctor

import "strings"

// where is what to do: at Entra, or at another provider.
func (e examiner) where(entra, elsewhere string) string {
	if e.health.Provider != "" {
		return elsewhere
	}
	return entra
}

// discovery compares the tenant's own document with the configuration.
func (e examiner) discovery() {
	d := e.health.Discovery
	const about = "discovery"
	switch {
	case d.URL == "": // not looked at
		return
	case d.Problem != "" && d.Status >= 400 && d.Status < 500:
		e.mend("discovery-tenant", about, e.where("Compare entra.tenant with the tenant ID on the overview page of Entra, and entra.authority with your cloud's.",
			"Compare oidc.issuer with what the provider's administration calls its issuer."),
			"The tenant is not known at %s: %s.", d.URL, d.Problem)
		return
	case d.Problem != "":
		e.mend("discovery-unreachable", about, "Let this machine reach that address over https. Until then nobody new can sign in; who is signed in goes on.",
			"The tenant's discovery document at %s cannot be read: %s.", d.URL, d.Problem)
		return
	}
	if d.Issuer != d.Wanted {
		e.mend("discovery-issuer", about, e.where("Write the tenant's ID (a GUID) under entra.tenant, not common, organizations or a domain, and the authority whose tenant it is.",
			"Write under oidc.issuer what it calls itself, to the letter: a slash at the end belongs to it."),
			"The tenant calls itself %s, and tokens have to be of %s: every sign-in would be refused.", d.Issuer, d.Wanted)
	}
	if d.WantedToken != "" && d.Token != "" && d.Token != d.WantedToken {
		e.mend("discovery-token", about, "Correct entra.authority.", "The tenant's token endpoint is %s, and Lanyard speaks to %s.", d.Token, d.WantedToken)
	}
	if d.Keys == 0 {
		e.mend("discovery-keys", about, "Let this machine reach the tenant's keys; a proxy may hold them back.", "The tenant names no key (jwks_uri) that tokens could be verified with.")
	}
	if strings.HasPrefix(d.Wanted, "https:") {
		for _, x := range []string{d.Authorize, d.Token} {
			if strings.HasPrefix(x, "http:") {
				e.mend("discovery-plain", about, "Look what stands between Lanyard and the tenant: it changes answers.", "The tenant's document leads to %s, which is not https.", x)
			}
		}
	}
}
