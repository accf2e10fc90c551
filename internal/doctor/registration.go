package doctor

import (
	"slices"
	"strings"
)

const asRegistration = "registration"

// registration compares what the tenant has of Lanyard's app registration and enterprise application with what Lanyard
// needs of them.
func (e examiner) registration() {
	r := e.health.Registration
	if !r.Readable {
		if r.Problem != "" && e.health.Reads { // where nothing is read, Lanyard is to have no permission for it
			e.note("registration-unread", asRegistration, "Compare it by hand with docs/entra.md, or grant Application.Read.All.",
				"The app registration cannot be read, so what it says was not compared: %s.", r.Problem)
		}
		return
	}
	if r.Audience != "" && r.Audience != "AzureADMyOrg" {
		e.mend("registration-audience", asRegistration, "In Entra, at the app registration under Authentication, choose: accounts in this organizational directory only.",
			"The app registration takes accounts of other tenants too (%s). Lanyard refuses them, after they have signed in.", r.Audience)
	}
	switch {
	case !r.Enterprise:
		e.mend("registration-enterprise", asRegistration, "Let an administrator consent to the app once: Entra then makes it. `lanyard entra setup` does so.",
			"The app registration has no enterprise application in the tenant.")
	case !r.Enabled:
		e.mend("registration-disabled", asRegistration, "In Entra, at the enterprise application under Properties, turn on 'Enabled for users to sign in'.", "Nobody may sign in to Lanyard's enterprise application.")
	case r.AssignmentRequired && r.Assigned == 0:
		e.mend("registration-nobody", asRegistration, "In Entra, at the enterprise application under Users and groups, assign those who are to use Lanyard.",
			"People have to be assigned to Lanyard's enterprise application, and nobody is.")
	case !r.AssignmentRequired:
		e.note("registration-assignment", asRegistration, "To let only those sign in who are assigned, turn on 'Assignment required?' at the enterprise application under Properties.",
			"Everybody of the tenant can sign in. Without a role they are allowed nothing.")
	}
	e.claims(r.IDTokenClaims)
	if e.health.Directory.Members == "sign-in" && !slices.Contains([]string{"SecurityGroup", "All"}, r.GroupClaims) {
		e.mend("registration-groups", asRegistration, "In Entra, at the app registration under Token configuration, add the groups claim with security groups.",
			"Groups are to come with each sign-in (directory: {members: sign-in}), and the app registration sends %s.", strings.TrimSpace("none "+paren(r.GroupClaims)))
	}
	for _, p := range r.Permissions {
		if strings.Contains(p, "Write") || strings.Contains(p, "FullControl") || strings.HasSuffix(p, "AccessAsUser.All") {
			e.note("permission-excess", "permission", "In Entra, at the enterprise application under Permissions, revoke it.", "Lanyard holds the permission %s, and never writes to the tenant.", p)
		}
	}
}

func paren(s string) string {
	if s == "" || s == "None" {
		return ""
	}
	return "(" + s + ")"
}

// neededClaims are the optional claims that Lanyard reads, and what goes wrong without them.
var neededClaims = []struct {
	name, without string
	problem       bool
}{
	{"sid", "signing out at the tenant does not reach Lanyard", true},
	{"auth_time", "a sign-in's age is counted from when its token was made, which may be later than when the person signed in", false},
	{"login_hint", "signing out asks which account is meant", false},
}

const addClaim = "In Entra, at the app registration under Token configuration, add the optional claim %s to ID tokens. `lanyard entra setup` does so."

func (e examiner) claims(have []string) {
	for _, c := range neededClaims {
		if slices.Contains(have, c.name) {
			continue
		}
		do := strings.ReplaceAll(addClaim, "%s", c.name)
		if c.problem {
			e.mend("claim-"+c.name, "claims", do, "ID tokens do not carry %s: %s.", c.name, c.without)
		} else {
			e.note("claim-"+c.name, "claims", do, "ID tokens do not carry %s: %s.", c.name, c.without)
		}
	}
}
