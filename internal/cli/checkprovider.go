package cli

import (
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/source"
)

// redirects are where an OpenID provider that is not Entra leads people back to.
func redirects(c *config.Config) []string {
	if c.OIDC == nil {
		return nil
	}
	at := signin.Tenant{Issuer: c.OIDC.Issuer, OIDC: &signin.OIDC{}}
	return []string{c.URL + at.RedirectPath(), c.URL + signin.LogoutPath}
}

// checkProvider finds credentials that Entra alone gives, where people sign in at another provider.
func checkProvider(o *config.OIDC, projects []project.Project) (found source.Findings) {
	if o == nil {
		return nil
	}
	for _, p := range projects {
		for _, r := range p.Repositories {
			kind := ""
			switch {
			case r.Credential.EntraScope != "":
				kind = "entra"
			case r.Credential.EntraApp != "":
				kind = "entra_app"
			default:
				continue
			}
			found = append(found, source.Finding{File: p.File, Message: "repository " + r.URL + ": people sign in at " + o.Name + ", and only Entra gives a credential of the kind " + kind + "; choose another"})
		}
	}
	return found
}
