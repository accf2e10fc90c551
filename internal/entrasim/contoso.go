package entrasim

import "time"

// Fixed IDs of the sample organisation, so that documents and sample project files can name them.
const (
	ContosoTenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

	LanyardAppID        = "474233c8-e2bb-4d1b-bb70-e02df84a14de"
	ContosoGitAppID     = "c0325cc7-80b6-4194-bd72-a0e0823d3613"
	DirectoryToolsAppID = "bffcc81e-9cb6-4d4b-a694-4dbc66a83bb5"

	PaymentsLeadRoleID = "a9211844-b8ba-4006-a4fe-32cabc1ec2c1"

	AdaID      = "67224801-dc28-4774-a21b-13838a428c41"
	GraceID    = "373570eb-ae23-4df6-8eb5-477dfb40181f"
	LinusID    = "d5ac9ca3-37e5-4b44-af12-215fc036213f"
	BarbaraID  = "d1da7119-e4ff-425c-9f8d-af466d475d87"
	AlanID     = "9a2e9646-2c61-4f3e-8151-11e5c39e2be5"
	EdsgerID   = "4b2cb4e1-a144-4075-8d68-55304f6f1021"
	MargaretID = "1238ce46-cea8-43be-9cee-7e8001f726f6"
	KenID      = "2b9d6d73-1ab7-4d42-8b2c-6cb16842a5a2"
	MalloryID  = "46b97c33-8e81-4418-9ac9-0076d7f28cdd"
	LeoID      = "5fd5e7f8-8504-402a-931a-96e284edebf1"
	JoyID      = "1fb14601-96d8-4bad-810b-7978cdf60c61"
	DonaldID   = "50fadaf2-6d68-47e2-be7b-b1d9e7e29fe3"
	RadiaID    = "4f216f49-3889-441b-9c0f-57403654e104"

	PaymentsEngineersID = "5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a11"
	PaymentsAPITeamID   = "56998d12-f4ea-4e2c-a5fd-9803a5afae5c"
	PaymentsLeadsID     = "edf5ca0c-4581-44d9-aa33-68a5b22cf93c"
	PaymentsViewersID   = "d479f946-7a5f-4a38-b595-e91fe6bcc788"
	ShopEngineersID     = "354c4aa8-1d92-4ef3-8d5b-560d503e60d4"
	ShopLeadsID         = "fe3da0c6-cdda-4b7f-904d-643fe2f5d440"
	PlatformEngineersID = "614e2dc4-6a36-4c5e-8838-e1df250fd506"
	LanyardAdminsID     = "5ff6aba5-006c-46f9-8558-74bb8b9250cd"
	LanyardAuditorsID   = "e38d7e1c-2445-4473-915c-20949bd21ae1"
	ContractorsID       = "d2c2b128-b659-4226-ac11-dfddc0eabad6"
	AllEmployeesID      = "d1ed3941-f6da-425b-9da7-785a5789b5cc"
)

// Sample is what differs between two starts of the sample organisation.
type Sample struct {
	// RedirectURIs of the app "Lanyard": where sign-in returns to, and where sign-out may lead.
	RedirectURIs []string
	// LogoutURL is its front-channel logout URL.
	LogoutURL string
	// Secret of the app "Lanyard"; when empty one is made at the first start.
	Secret string
}

// Contoso is the sample organisation: three projects (payments, shop, platform), nested groups, a
// leaver (leo) whose disabled account is still in a group, a joiner (joy) who is in no project yet,
// and a stranger (mallory). Everyone's password is "lanyard-" and the user name.
func Contoso(s Sample) Organisation {
	return Organisation{
		TenantID: ContosoTenantID,
		Name:     "Contoso",
		Domain:   "contoso.example",
		Users: []User{
			person(AdaID, "ada", "Ada", "Lovelace", "Payments engineer", "Payments"),
			person(GraceID, "grace", "Grace", "Hopper", "Payments lead", "Payments"),
			person(LinusID, "linus", "Linus", "Pauling", "Analyst", "Finance"),
			person(BarbaraID, "barbara", "Barbara", "Liskov", "API engineer", "Payments"),
			person(AlanID, "alan", "Alan", "Turing", "Shop engineer", "Shop"),
			person(EdsgerID, "edsger", "Edsger", "Dijkstra", "Platform engineer", "Platform"),
			administrator(person(MargaretID, "margaret", "Margaret", "Hamilton", "Head of platform", "Platform")),
			person(KenID, "ken", "Ken", "Thompson", "Auditor", "Audit"),
			person(MalloryID, "mallory", "Mallory", "Stone", "Assistant", "Facilities"),
			leaver(person(LeoID, "leo", "Leo", "Farewell", "Payments engineer", "Payments")),
			person(JoyID, "joy", "Joy", "Welcome", "Engineer", "Engineering"),
			person(DonaldID, "donald", "Donald", "Knuth", "Consultant", "Engineering"),
			person(RadiaID, "radia", "Radia", "Perlman", "Shop lead", "Shop"),
		},
		Groups: []Group{
			team(PaymentsEngineersID, "payments-engineers", "Build the payments service", AdaID, LeoID, PaymentsAPITeamID),
			team(PaymentsAPITeamID, "payments-api-team", "The API team within payments", BarbaraID),
			team(PaymentsLeadsID, "payments-leads", "Answer for the payments service", GraceID),
			team(PaymentsViewersID, "payments-viewers", "Read the payments service", LinusID),
			team(ShopEngineersID, "shop-engineers", "Build the shop", AlanID, ContractorsID),
			team(ShopLeadsID, "shop-leads", "Answer for the shop", RadiaID),
			team(PlatformEngineersID, "platform-engineers", "Run the platform", EdsgerID, MargaretID),
			team(LanyardAdminsID, "lanyard-admins", "Administer Lanyard", MargaretID),
			team(LanyardAuditorsID, "lanyard-auditors", "Read Lanyard's log", KenID),
			team(ContractorsID, "contractors", "People of other companies", DonaldID),
			team(AllEmployeesID, "all-employees", "Everyone employed here", PaymentsEngineersID, PaymentsLeadsID,
				PaymentsViewersID, ShopLeadsID, PlatformEngineersID, LanyardAuditorsID, AlanID, MalloryID, JoyID),
		},
		Apps:         contosoApps(s),
		PasswordHint: `The password is "lanyard-" and the user name, such as lanyard-ada.`,
		StepUp:       []string{"c1"},
	}
}

// sampleStart is when the sample organisation's objects say they were created.
func sampleStart() time.Time { return time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC) }

func person(id, user, given, surname, title, department string) User {
	address := user + "@contoso.example"
	return User{
		ID: id, UserPrincipalName: address, Mail: address, DisplayName: given + " " + surname,
		GivenName: given, Surname: surname, JobTitle: title, Department: department,
		AccountEnabled: true, Password: "lanyard-" + user, CreatedDateTime: sampleStart(),
	}
}

// administrator may do everything at the tenant.
func administrator(u User) User {
	u.Roles = []string{GlobalAdministrator}
	return u
}

func leaver(u User) User {
	u.AccountEnabled = false
	return u
}

func team(id, name, description string, members ...string) Group {
	return Group{ID: id, DisplayName: name, Description: description, Members: members, CreatedDateTime: sampleStart()}
}

func contosoApps(s Sample) []App {
	lanyard := App{
		ClientID: LanyardAppID, PrincipalID: "a1bd88e6-c93e-4422-b264-2be76dcc7b15", Name: "Lanyard", Secret: s.Secret,
		RedirectURIs: s.RedirectURIs, LogoutURL: s.LogoutURL,
		Scopes:                []string{"user_impersonation"},
		AppRoles:              []AppRole{{ID: PaymentsLeadRoleID, Value: "Payments.Lead", DisplayName: "Payments lead"}},
		GroupMembershipClaims: "SecurityGroup",
		OptionalClaims:        []string{"sid", "auth_time", "acrs", "login_hint", "acct"},
		Consented:             []string{GraphAppID, ContosoGitAppID},
		GraphRoles:            []string{"User.Read.All", "Group.Read.All", "GroupMember.Read.All", "Application.Read.All", "AuditLog.Read.All", "Directory.Read.All"},
	}
	for i, group := range []string{PaymentsEngineersID, PaymentsAPITeamID, PaymentsLeadsID, PaymentsViewersID, ShopEngineersID,
		ShopLeadsID, PlatformEngineersID, LanyardAdminsID, LanyardAuditorsID, ContractorsID} {
		lanyard.Assignments = append(lanyard.Assignments, Assignment{
			ID: assignmentID(lanyard.PrincipalID, i), PrincipalID: group, AppRoleID: DefaultAccess, Created: sampleStart(),
		})
	}
	lanyard.Assignments = append(lanyard.Assignments, Assignment{
		ID: assignmentID(lanyard.PrincipalID, len(lanyard.Assignments)), PrincipalID: PaymentsLeadsID, AppRoleID: PaymentsLeadRoleID, Created: sampleStart(),
	})
	return []App{
		lanyard,
		{
			ClientID: ContosoGitAppID, PrincipalID: "f43d71e5-b691-4116-9cf9-307ba5184817", Name: "Contoso Git",
			Scopes: []string{"user_impersonation"}, OptionalClaims: []string{"email"},
		},
		{
			ClientID: DirectoryToolsAppID, PrincipalID: "0d270c93-b820-43b1-bd5a-6417a64a4eb9", Name: "Directory tools",
			GraphRoles: []string{"User.Read.All", "Group.Read.All", "Application.Read.All", "AuditLog.Read.All", DirectoryWrite},
		},
	}
}
