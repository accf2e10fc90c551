package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// sound is an installation in which all is well.
func sound() api.DirectoryHealth {
	const tenant = "https://login.microsoftonline.com/8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"
	const url = "https://lanyard.example.test"
	return api.DirectoryHealth{
		At: noon, URL: url, Reads: true, Leads: true, SweepSeconds: 60,
		Discovery: api.DiscoveryHealth{
			URL: tenant + "/v2.0/.well-known/openid-configuration", Wanted: tenant + "/v2.0", WantedToken: tenant + "/oauth2/v2.0/token", Status: 200,
			Issuer: tenant + "/v2.0", Authorize: tenant + "/oauth2/v2.0/authorize", Token: tenant + "/oauth2/v2.0/token", Keys: 6,
		},
		Credentials: []api.CredentialHealth{{Kind: "certificate", File: "/etc/lanyard/app.pem", Works: true, Ends: noon.AddDate(1, 0, 0)}},
		Registration: api.RegistrationHealth{
			ClientID: "474233c8-e2bb-4d1b-bb70-e02df84a14de", Readable: true, Name: "Lanyard of Contoso", Audience: "AzureADMyOrg", TokenVersion: 2,
			RedirectURIs: []string{url + "/login/callback/entra", url + "/logout/done"}, LogoutURL: url + "/logout/frontchannel",
			IDTokenClaims: []string{"sid", "auth_time", "login_hint", "acrs"},
			Certificates:  []api.RegisteredSecret{{Name: "CN=lanyard", Ends: noon.AddDate(1, 0, 0), Used: "certificate"}},
			Enterprise:    true, Enabled: true, AssignmentRequired: true, Assigned: 11, Permissions: []string{"User.Read.All", "Group.Read.All", "Application.Read.All", "AuditLog.Read.All"},
		},
		Redirects: []api.RedirectHealth{{URL: url + "/login/callback/entra", For: ForSignIn, Known: true}, {URL: url + "/logout/done", For: ForSignOut, Known: true}},
		Outside: []api.OutsideHealth{{For: ForPages, Address: url + "/oauth/jwks", Names: []string{"lanyard.example.test"}, Issuer: "CN=Some CA",
			Ends: noon.AddDate(0, 2, 0), Version: "TLS 1.3", Status: 200}},
		Directory: api.Directory{Members: "graph", State: "fresh", AsOf: noon.Add(-time.Minute), Users: 13},
		Roles:     api.RolesHealth{Admins: 2, Auditors: 1},
		Notifications: api.NotificationHealth{URL: url + "/hooks/graph",
			Subscriptions: []api.SubscriptionHealth{{Of: "groups", Ends: noon.Add(time.Hour)}, {Of: "users", Ends: noon.Add(time.Hour)}}},
		SignIn: &api.SignInTest{
			ID: "t", State: "done", User: "u-67224801-dc28-4774-a21b-13838a428c41", Name: "Ada Lovelace", Known: true, Active: true, Renewed: true,
			Claims: []api.Claim{{Name: "name", Value: `"Ada Lovelace"`}, {Name: "tid", Value: `"8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"`}, {Name: "groups", Value: `["a","b"]`}},
			Roles:  []string{"admin"}, Projects: []api.Holding{{ID: "p1", Name: "payments", Role: "developer", Via: "payments-engineers"}},
		},
	}
}

// faults are changes of a sound installation with the one finding that each has.
var faults = map[string]struct {
	plant   func(*api.DirectoryHealth)
	code    string
	says    string
	problem bool
}{
	"sound": {plant: func(*api.DirectoryHealth) {}},
	"tenant unknown": {func(h *api.DirectoryHealth) {
		h.Discovery.Status, h.Discovery.Problem = 400, "AADSTS90002: Tenant not found"
	}, "discovery-tenant", "is not known at", true},
	"tenant away":    {func(h *api.DirectoryHealth) { h.Discovery.Status, h.Discovery.Problem = 0, "no route to host" }, "discovery-unreachable", "no route to host", true},
	"other issuer":   {func(h *api.DirectoryHealth) { h.Discovery.Issuer = "https://login.microsoftonline.com/{tenantid}/v2.0" }, "discovery-issuer", "{tenantid}", true},
	"other endpoint": {func(h *api.DirectoryHealth) { h.Discovery.Token = "https://login.example.test/token" }, "discovery-token", "login.example.test", true},
	"no keys":        {func(h *api.DirectoryHealth) { h.Discovery.Keys = 0 }, "discovery-keys", "names no key", true},
	"plain":          {func(h *api.DirectoryHealth) { h.Discovery.Authorize = "http://login.example.test/a" }, "discovery-plain", "not https", true},
	"expired secret": {func(h *api.DirectoryHealth) {
		h.Credentials[0], h.Token = api.CredentialHealth{Kind: "client secret", File: "/s", Problem: "AADSTS7000222"}, "AADSTS7000222"
	}, "credential-refused", "client secret /s does not work: AADSTS7000222", true},
	"no token":               {func(h *api.DirectoryHealth) { h.Credentials[0].Works, h.Token = false, "no route" }, "credential-none", "no route", true},
	"certificate ends":       {func(h *api.DirectoryHealth) { h.Credentials[0].Ends = noon.Add(24 * time.Hour) }, "credential-ends", "expires at 2026-11-24", true},
	"certificate ends there": {func(h *api.DirectoryHealth) { h.Registration.Certificates[0].Ends = noon.Add(48 * time.Hour) }, "credential-ends", "expires at 2026-11-25", true},
	"secret ends": {func(h *api.DirectoryHealth) {
		h.Credentials = append(h.Credentials, api.CredentialHealth{Kind: "client secret", File: "/s", Works: true})
		h.Registration.Secrets = []api.RegisteredSecret{{Name: "old", Ends: noon.AddDate(-1, 0, 0)}, {Name: "ours", Used: "client secret", Ends: noon.AddDate(0, 0, 3)}}
	}, "credential-ends", "client secret /s expires at 2026-11-26", true},
	"only a secret": {func(h *api.DirectoryHealth) {
		h.Credentials[0] = api.CredentialHealth{Kind: "client secret", File: "/s", Works: true}
	}, "credential-secret", "is all that proves", false},
	"log of sign-ins": {func(h *api.DirectoryHealth) {
		h.SignInLog = api.SignInLogHealth{Wanted: true, Problem: "it may not be read"}
	}, "sign-in-log", "it may not be read", false},
	"sign-ins in one place": {func(h *api.DirectoryHealth) { h.SignInLog.Flagged = 2 }, "sign-in-flagged", "do not agree about 2", false},
	"permission": {func(h *api.DirectoryHealth) {
		h.Permissions = []api.PermissionHealth{{Name: "User.Read.All", For: "users", Problem: "it is not granted"}}
	}, "permission-missing", "User.Read.All (users): it is not granted", true},
	"may write": {func(h *api.DirectoryHealth) {
		h.Registration.Permissions = append(h.Registration.Permissions, "Directory.ReadWrite.All")
	}, "permission-excess", "never writes", false},
	"unreadable": {func(h *api.DirectoryHealth) {
		h.Registration = api.RegistrationHealth{Problem: "Graph answered 403"}
		h.SignIn = nil
	}, "registration-unread", "Graph answered 403", false},
	"many tenants":  {func(h *api.DirectoryHealth) { h.Registration.Audience = "AzureADMultipleOrgs" }, "registration-audience", "AzureADMultipleOrgs", true},
	"no enterprise": {func(h *api.DirectoryHealth) { h.Registration.Enterprise = false }, "registration-enterprise", "no enterprise application", true},
	"disabled":      {func(h *api.DirectoryHealth) { h.Registration.Enabled = false }, "registration-disabled", "Nobody may sign in", true},
	"nobody":        {func(h *api.DirectoryHealth) { h.Registration.Assigned = 0 }, "registration-nobody", "nobody is", true},
	"everybody":     {func(h *api.DirectoryHealth) { h.Registration.AssignmentRequired = false }, "registration-assignment", "Everybody of the tenant", false},
	"no sid":        {func(h *api.DirectoryHealth) { h.Registration.IDTokenClaims = []string{"auth_time", "login_hint"} }, "claim-sid", "signing out at the tenant", true},
	"no hint":       {func(h *api.DirectoryHealth) { h.Registration.IDTokenClaims = []string{"auth_time", "sid"} }, "claim-login_hint", "which account", false},
	"no groups": {func(h *api.DirectoryHealth) {
		h.Directory.Members, h.Registration.GroupClaims = "sign-in", "ApplicationGroup"
	}, "registration-groups", "none (ApplicationGroup)", true},
	"redirect": {func(h *api.DirectoryHealth) { h.Redirects[0].Known, h.Redirects[0].Refused = false, true }, "redirect-sign-in", "AADSTS50011", true},
	"sign-out": {func(h *api.DirectoryHealth) { h.Redirects[1].Known, h.Redirects[1].Refused = false, true }, "redirect-sign-out", "left on the tenant's page", true},
	"front channel": {func(h *api.DirectoryHealth) {
		h.Redirects = []api.RedirectHealth{{URL: h.URL + "/logout/frontchannel", For: ForFrontChannel, Refused: true}}
	}, "redirect-front-channel", "stays signed in", true},
	"no name": {func(h *api.DirectoryHealth) { h.Outside[0].Trouble, h.Outside[0].Problem = "dns", "no such host" }, "outside-dns", "no such host", true},
	"other names": {func(h *api.DirectoryHealth) {
		h.Outside[0].Trouble, h.Outside[0].Names = "tls-name", []string{"other.example.test"}
	}, "outside-tls-name", "it is for other.example.test", true},
	"untrusted": {func(h *api.DirectoryHealth) {
		h.Outside[0].Trouble, h.Outside[0].Problem = "tls-trust", "unknown authority"
	}, "outside-tls-trust", "unknown authority", true},
	"shown ends": {func(h *api.DirectoryHealth) { h.Outside[0].Ends = noon.Add(24 * time.Hour) }, "outside-ends", "expires at 2026-11-24", true},
	"stranger":   {func(h *api.DirectoryHealth) { h.Outside[0].Stranger = true }, "outside-stranger", "not this Lanyard", true},
	"unread":     {func(h *api.DirectoryHealth) { h.Directory.State = "unread" }, "directory-unread", "not been read", true},
	"stale": {func(h *api.DirectoryHealth) {
		h.Directory.State, h.Directory.AgeSeconds, h.Directory.StaleAfterSeconds = "stale", 400, 300
	}, "directory-stale", "6m40s old, and may be 5m0s", true},
	"nobody admin": {func(h *api.DirectoryHealth) { h.Roles.Admins = 0 }, "roles-admin", "Nobody holds the role admin", true},
	"void names":   {func(h *api.DirectoryHealth) { h.Roles.Void = 2 }, "roles-void", "2 names", false},
	"first reading": {func(h *api.DirectoryHealth) {
		h.Reading.Whole = []api.ReadingPart{{Of: "users", Pages: 3, Objects: 2997, Since: noon}}
	}, "reading-whole", "2997 in 3 pages so far", false},
	"failing":       {func(h *api.DirectoryHealth) { h.Reading.Problem, h.Reading.FailingSince = "Graph answered 503", noon }, "reading-failing", "Graph answered 503", true},
	"throttled":     {func(h *api.DirectoryHealth) { h.Reading.QuietUntil, h.Reading.Throttled = noon.Add(time.Minute), 3 }, "reading-throttled", "left alone until", true},
	"was throttled": {func(h *api.DirectoryHealth) { h.Reading.Throttled, h.Reading.Requests = 3, 9 }, "reading-was-throttled", "throttled 3 of 9", false},
	"refused part":  {func(h *api.DirectoryHealth) { h.Reading.Refused = []string{"App roles cannot be read"} }, "reading-refused", "App roles", true},
	"replica":       {func(h *api.DirectoryHealth) { h.Leads, h.Reading.Problem = false, "old" }, "reading-elsewhere", "Another replica", false},
	"firewall":      {func(h *api.DirectoryHealth) { h.Notifications = api.NotificationHealth{} }, "notifications-off", "the sweep alone", false},
	"unsubscribed": {func(h *api.DirectoryHealth) {
		h.Notifications.Subscriptions[1] = api.SubscriptionHealth{Of: "users", Problem: "Graph answered 400 ValidationError"}
	}, "notifications-failing", "Changes of users cannot", true},
	"lapsed":                {func(h *api.DirectoryHealth) { h.Notifications.Subscriptions[1].Ends = noon.Add(-time.Hour) }, "notifications-lapsed", "has lapsed", true},
	"clock":                 {func(h *api.DirectoryHealth) { h.SkewSeconds = -240 }, "clock", "differ by 4m0s", true},
	"clock seen at sign-in": {func(h *api.DirectoryHealth) { h.Discovery.SkewSeconds = 400 }, "clock", "differ by 6m40s", true},
	"provisioning": {func(h *api.DirectoryHealth) {
		h.Provisioning.Findings = []api.ProvisioningFinding{{Problem: true, Text: "map objectId to externalId"}}
	}, "provisioning", "objectId", true},
	"refused": {func(h *api.DirectoryHealth) {
		h.SignIn.State, h.SignIn.Problem = "refused", "The tenant did not sign you in."
	}, "sign-in-refused", "did not sign you in", true},
	"not back":      {func(h *api.DirectoryHealth) { h.SignIn.State = "waiting" }, "sign-in-waiting", "did not come back", false},
	"stranger here": {func(h *api.DirectoryHealth) { h.SignIn.Known = false }, "sign-in-unknown", "not in the directory", true},
	"disabled here": {func(h *api.DirectoryHealth) { h.SignIn.Active = false }, "sign-in-disabled", "is disabled", true},
	"not renewable": {func(h *api.DirectoryHealth) { h.SignIn.Renewed = false }, "sign-in-refresh", "no refresh token", true},
	"stopped":       {func(h *api.DirectoryHealth) { h.Stopped, h.Directory.State, h.Roles.Admins = true, "", 0 }, "server-stopped", "No server runs", true},
	"claims of a token": {func(h *api.DirectoryHealth) {
		h.Registration = api.RegistrationHealth{}
		h.SignIn.Claims = append(h.SignIn.Claims, api.Claim{Name: "auth_time", Value: "1"}, api.Claim{Name: "login_hint", Value: `"x"`})
	}, "claim-sid", "do not carry sid", true},
	"another provider": {func(h *api.DirectoryHealth) {
		h.Provider, h.Registration, h.Redirects[0].Refused = "Some IdP", api.RegistrationHealth{}, true
	}, "redirect-sign-in", "Some IdP does not know", true},
	"too wide": {func(h *api.DirectoryHealth) {
		h.Permissions = []api.PermissionHealth{{Name: "Group.Read.All", For: "groups", Granted: true}, {Name: "Application.Read.All", For: "apps", Granted: true}}
		h.Registration.Permissions = []string{"User.Read.All", "Directory.Read.All"}
	}, "permission-missing", "not be told of changes", true},
	"taken away": {func(h *api.DirectoryHealth) {
		h.Permissions = []api.PermissionHealth{{Name: "Group.Read.All", For: "groups", Granted: true}}
		h.Registration.Permissions = []string{"User.Read.All", "AuditLog.Read.All"}
	}, "permission-missing", "works only until", true},
	"no role": {func(h *api.DirectoryHealth) { h.SignIn.Roles, h.SignIn.Projects = nil, nil }, "sign-in-roles", "no role", false},
}

// TestFindings: each fault is found once, by its code, says what it is, and what to do where somebody can do something.
func TestFindings(t *testing.T) {
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			h := sound()
			c.plant(&h)
			Diagnose(&h)
			if c.code == "" {
				if len(h.Findings) != 0 || !h.Sound {
					t.Errorf("found %+v", h.Findings)
				}
				return
			}
			if len(h.Findings) != 1 || h.Findings[0].Problem != c.problem || h.Findings[0].Code != c.code || !strings.Contains(h.Findings[0].Says, c.says) || h.Sound == c.problem {
				t.Fatalf("found %+v", h.Findings)
			}
			if f := h.Findings[0]; f.Problem && f.Do == "" && f.About != "provisioning" { // whose text says it
				t.Errorf("it does not say what to do: %+v", f)
			}
		})
	}
}

// TestSoundElsewhere: where Lanyard is to read nothing at the tenant, nothing is found for want of permissions.
func TestSoundElsewhere(t *testing.T) {
	for _, members := range []string{"sign-in", "scim"} {
		h := sound()
		h.Reads, h.Directory.Members, h.Notifications, h.SignIn = false, members, api.NotificationHealth{}, nil
		h.Registration = api.RegistrationHealth{ClientID: h.Registration.ClientID, Problem: "Graph answered 403"}
		h.Redirects = h.Redirects[:1]
		Diagnose(&h)
		if len(h.Findings) != 0 || !h.Sound {
			t.Errorf("with members from %s: %+v", members, h.Findings)
		}
	}
}

// TestProblemsFirst: what is to be mended stands before what is worth knowing.
func TestProblemsFirst(t *testing.T) {
	h := sound()
	h.Reading.Throttled, h.Roles.Admins, h.SkewSeconds = 1, 0, 600
	Diagnose(&h)
	if len(h.Findings) != 3 || h.Findings[0].Code != "roles-admin" || h.Findings[1].Code != "clock" || h.Findings[2].Problem {
		t.Errorf("found %+v", h.Findings)
	}
}

// TestLatency says what to expect with and without notifications, and where nothing is read.
func TestLatency(t *testing.T) {
	h := sound()
	Diagnose(&h)
	if !strings.Contains(h.Latency, "10 to 15 s are reported") || !strings.Contains(h.Latency, "every 1m0s") {
		t.Error(h.Latency)
	}
	h.Notifications = api.NotificationHealth{}
	Diagnose(&h)
	if strings.Contains(h.Latency, "notification") || !strings.Contains(h.Latency, "every 1m0s") {
		t.Error(h.Latency)
	}
	h.Reads = false
	for members, says := range map[string]string{"scim": "every 40 minutes", "sign-in": "next sign-in"} {
		h.Directory.Members = members
		Diagnose(&h)
		if !strings.Contains(h.Latency, says) {
			t.Error(h.Latency)
		}
	}
}
