package server

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/doctor"
	"github.com/lanyardhq/lanyard/internal/doctor/probe"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/signin"
)

// members is who says who is in which group.
func (s *Server) members() string { return string(cmp.Or(s.options.Members, config.FromGraph)) }

func (s *Server) prober() probe.Prober { return probe.Prober{HTTP: s.options.HTTP, Dial: Dial} }

// newRegistration is what is known of the app registration before it is read.
func (s *Server) newRegistration() api.RegistrationHealth {
	return api.RegistrationHealth{
		ClientID: s.options.Tenant.ClientID, RedirectURIs: []string{}, IDTokenClaims: []string{}, Secrets: []api.RegisteredSecret{},
		Certificates: []api.RegisteredSecret{}, Federated: []api.RegisteredFederated{}, AppRoles: []string{}, Permissions: []string{},
	}
}

// registrationHealth compares the credentials of the app registration with those that are in use here, by what does not
// give them away.
func (s *Server) registrationHealth(ctx context.Context, source *entra.Source) api.RegistrationHealth {
	h := s.newRegistration()
	r, err := source.Registration(ctx)
	if err != nil {
		h.Problem = err.Error()
		return h
	}
	h.Readable, h.Name, h.Audience, h.TokenVersion, h.GroupClaims = true, r.Name, r.SignInAudience, r.API.Version, r.GroupClaims
	h.RedirectURIs, h.LogoutURL = append(h.RedirectURIs, r.Web.RedirectURIs...), r.Web.LogoutURL
	for _, c := range r.Optional.IDToken {
		h.IDTokenClaims = append(h.IDTokenClaims, c.Name)
	}
	for _, role := range r.AppRoles {
		if role.Enabled {
			h.AppRoles = append(h.AppRoles, role.Value)
		}
	}
	app := s.options.Tenant.Credential
	for _, x := range r.Secrets {
		one := api.RegisteredSecret{Name: x.Name, Ends: x.Ends}
		if app.HasSecret(x.Hint) {
			one.Used = "client secret"
		}
		h.Secrets = append(h.Secrets, one)
	}
	for _, x := range r.Certificates {
		one := api.RegisteredSecret{Name: x.Name, Ends: x.Ends}
		if app.HasCertificate(x.Thumbprint) {
			one.Used = "certificate"
		}
		h.Certificates = append(h.Certificates, one)
	}
	for _, x := range r.Federated {
		h.Federated = append(h.Federated, api.RegisteredFederated{Name: x.Name, Issuer: x.Issuer, Subject: x.Subject, Audiences: append([]string{}, x.Audiences...)})
	}
	if e := r.Enterprise; e != nil {
		h.Enterprise, h.Enabled, h.AssignmentRequired, h.Assigned = true, e.Enabled, e.AssignmentRequired, e.Assigned
		h.Permissions = append(h.Permissions, e.Permissions...)
	}
	return h
}

// redirects looks whether the tenant knows where it is to lead people back to: by the registration, or else by asking.
func (s *Server) redirects(ctx context.Context, authorize string, r api.RegistrationHealth) []api.RedirectHealth {
	u := s.options.URL
	all := []api.RedirectHealth{
		{URL: u + s.options.Tenant.RedirectPath(), For: doctor.ForSignIn}, {URL: u + signin.LogoutPath, For: doctor.ForSignOut},
		{URL: u + signin.FrontChannelPath, For: doctor.ForFrontChannel},
	}
	for i := range all {
		one := &all[i]
		switch {
		case r.Readable && one.For == doctor.ForFrontChannel:
			one.Known = strings.EqualFold(r.LogoutURL, one.URL)
			one.Refused = !one.Known
		case r.Readable:
			one.Known = slices.Contains(r.RedirectURIs, one.URL)
			one.Refused = !one.Known
		case authorize != "" && one.For == doctor.ForSignIn:
			one.Known, one.Refused, one.Says = s.prober().Redirect(ctx, s.options.Tenant.Issuer, authorize, s.options.Tenant.ClientID, one.URL)
		}
	}
	return all
}

// outside looks at Lanyard's own addresses by their names. What is asked there changes nothing and is counted nowhere.
func (s *Server) outside(ctx context.Context, reads bool) []api.OutsideHealth {
	o := s.options
	ids := []string{}
	for _, k := range s.keys.JWKS().Keys {
		ids = append(ids, k.KeyID)
	}
	onlyPosts := func(status int, h http.Header, _ []byte) bool {
		return status == http.StatusMethodNotAllowed && strings.Contains(h.Get("Allow"), http.MethodPost)
	}
	questions := []probe.Question{{For: doctor.ForPages, Address: o.URL + issuer.JWKSPath, Method: http.MethodGet, Ours: probe.SameKeys(ids)}}
	if o.Notifications != "" && reads {
		questions = append(questions, probe.Question{For: doctor.ForNotifications, Address: o.Notifications, Method: http.MethodGet, Ours: onlyPosts})
	}
	if list, _ := s.provision.Credentials(); len(list) > 0 {
		questions = append(questions, probe.Question{For: doctor.ForProvisioning, Address: o.URL + provision.TokenPath, Method: http.MethodGet, Ours: onlyPosts})
	}
	if base, err := url.Parse(o.URL); err == nil {
		for what, domain := range map[string]string{doctor.ForWorkspaces: o.WorkspaceDomain, doctor.ForApps: o.AppDomain} {
			if domain == "" || domain == "localhost" {
				continue
			}
			host := "doctor." + domain
			if port := base.Port(); port != "" {
				host += ":" + port
			}
			questions = append(questions, probe.Question{For: what, Address: base.Scheme + "://" + host})
		}
	}
	answers := make([]api.OutsideHealth, len(questions))
	done := make(chan struct{}, len(questions))
	for i, q := range questions {
		go func() {
			answers[i] = s.prober().Outside(ctx, q)
			done <- struct{}{}
		}()
	}
	for range questions {
		<-done
	}
	slices.SortFunc(answers, func(a, b api.OutsideHealth) int { return strings.Compare(a.For+a.Address, b.For+b.Address) })
	return answers
}
