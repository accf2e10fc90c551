package doctor

import "strings"

// signIn looks at a test sign-in.
func (e examiner) signIn() {
	t := e.health.SignIn
	if t == nil {
		return
	}
	const about = "sign-in"
	switch {
	case t.State == "waiting":
		e.note("sign-in-waiting", about, "Open the link that was printed. Where the tenant showed an error itself, its number (AADSTS…) is explained in docs/entra.md.", "The test sign-in did not come back.")
		return
	case t.State == "refused":
		e.mend("sign-in-refused", about, "Mend what it says, and test again.", "The test sign-in was refused: %s", t.Problem)
		return
	}
	if !t.Known && e.health.Directory.Members != "sign-in" {
		e.mend("sign-in-unknown", about, "Wait for the next reading, or look whether the person is in this tenant and in the scope of provisioning.", "Who signed in is not in the directory, so nothing would be allowed.")
	} else if t.Known && !t.Active {
		e.mend("sign-in-disabled", about, "Enable the account at the tenant, or look at `lanyard directory show`.", "Who signed in is disabled in the directory.")
	}
	if !t.Renewed {
		e.mend("sign-in-refresh", about, "Let the app registration consent to the delegated permission offline_access.",
			"The tenant gave no refresh token: credentials that are the person's own cannot be had, and nobody is looked at again between sign-ins.")
	}
	have := make([]string, 0, len(t.Claims))
	for _, c := range t.Claims {
		have = append(have, c.Name)
	}
	if !e.health.Registration.Readable && e.health.Provider == "" { // else it was said; other providers have other claims
		e.claims(have)
	}
	if e.health.Directory.Members == "sign-in" && !strings.Contains(" "+strings.Join(have, " ")+" ", " groups ") &&
		!strings.Contains(strings.Join(have, " "), "hasgroups") && !strings.Contains(strings.Join(have, " "), "_claim_names") {
		e.note("sign-in-groups", about, "In Entra, at the app registration under Token configuration, add the groups claim, unless the person is in no group.", "The ID token names no group.")
	}
	if len(t.Projects)+len(t.Roles) == 0 {
		e.note("sign-in-roles", about, "Put the person into a group that a project or roles names; `lanyard directory show` says which groups they are in.", "Who signed in holds no role, here or in any project.")
	}
}
