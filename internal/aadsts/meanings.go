package aadsts

// Places in Entra's admin center and in Lanyard where things are mended.
const (
	registration = "in the Entra admin center, under App registrations → Lanyard"
	enterprise   = "in the Entra admin center, under Enterprise applications → Lanyard"
	signInLogs   = "Sign-in logs in the Entra admin center, found by the correlation ID, name the policy."
	inAndAgain   = "Sign in again."
)

var meanings = map[int]Meaning{
	// Who may sign in to Lanyard.
	50105: {"your account is not assigned to Lanyard", Apps,
		"They assign you, or a group that you are an immediate member of, " + enterprise + " → Users and groups."},
	50020: {"the account belongs to another organisation and is no guest of this one", Users,
		"Sign in with your account of this organisation; or they invite the account as a guest, under Users → Invite external user."},
	500011: {"the resource that was asked for does not exist in the organisation", Operator, "They compare the scopes in Lanyard's configuration with the app registrations of the organisation."},

	// The account.
	50057: {"the account is disabled", Users, "They enable it in the Entra admin center, under Users → the account → Account status."},
	50034: {"there is no such account in the organisation", You, "Look at how the user name is spelt; or a User Administrator looks whether the account was deleted."},
	51004: {"there is no such account in the organisation", You, "Look at how the user name is spelt; or a User Administrator looks whether the account was deleted."},
	50053: {"the account is locked, or the address that you come from is blocked, after too many wrong passwords", You,
		"Wait some minutes and try again; a User Administrator can reset the password."},
	50055: {"the password has expired", You, "Set a new one on Microsoft's page; or a User Administrator resets it."},
	50126: {"the user name or the password is wrong", You, "Try again, or reset the password on Microsoft's page."},
	50056: {"the account has no password that the tenant knows", Users, "They set one, or look whether passwords are synchronised."},

	// A second factor.
	50074:  {"it takes a second factor", You, "Sign in again and confirm it with your second factor."},
	50076:  {"it takes a second factor", You, "Sign in again and confirm it with your second factor."},
	50078:  {"the second factor was shown too long ago", You, "Sign in again and confirm it with your second factor."},
	50072:  {"a second factor has to be registered first", You, "Sign in again and register one when Microsoft's page asks; or at https://mysignins.microsoft.com/security-info."},
	50079:  {"a second factor has to be registered first", You, "Sign in again and register one when Microsoft's page asks; or at https://mysignins.microsoft.com/security-info."},
	500121: {"the second factor was refused or did not answer in time", You, "Sign in again, and approve it on your device in time."},

	// Conditional Access.
	53000: {"it takes a device that the organisation manages and finds in order (a compliant one)", Devices,
		"Use a device that is enrolled. In the Company Portal you see what yours lacks; " + signInLogs},
	53001: {"it takes a device that belongs to the organisation (a domain-joined one)", Devices, "Use such a device. " + signInLogs},
	53002: {"it takes an app that the organisation has approved", Conditional, signInLogs},
	53003: {"a rule of the organisation (Conditional Access) does not allow it", Conditional,
		"They look what the rule is and whether it should hold for you here. " + signInLogs},
	53004:  {"a second factor cannot be registered from here, since something looks suspicious", Users, "Register it from where you work usually; or they look into the risk of the account."},
	530032: {"a security policy of the organisation does not allow it", Conditional, signInLogs},
	530035: {"the organisation's security defaults do not allow it", Conditional, "They look into security defaults, under Identity → Overview → Properties. " + signInLogs},
	53011:  {"your home organisation finds the account at risk", Users, "The administrators of your home organisation look into the risk of the account."},
	50131:  {"a rule of the organisation does not allow it: the device, the place or the risk is not what it asks for", Conditional, signInLogs},
	50097:  {"it takes a device that the tenant knows", You, "Use a device that is registered with the organisation, and a browser that can show it (signed in, or with Microsoft's extension)."},
	50155:  {"the device could not show who it is", Devices, "Register the device with the organisation again. " + signInLogs},
	135011: {"the device is disabled at the tenant", Devices, "They enable it in the Entra admin center, under Devices."},
	70043:  {"the organisation wants people to sign in more often", You, inAndAgain},

	// Consent.
	65001: {"nobody has consented that Lanyard is used in the organisation, or not to all that it asks for", Apps,
		"They consent for all, " + enterprise + " → Permissions → Grant admin consent; `lanyard entra setup` does it, too."},
	65004: {"you did not consent", You, "Sign in again and accept; or an Application Administrator consents for all."},
	90094: {"only an administrator may consent to what Lanyard asks for", Apps, "They consent for all, " + enterprise + " → Permissions → Grant admin consent."},
	90095: {"only an administrator may consent to what Lanyard asks for, and was asked", Apps, "They answer the request, under Enterprise applications → Admin consent requests. Sign in again then."},
	650056: {"the app registration asks for no permission that covers what Lanyard wants, or nobody consented", Apps,
		"They add the permissions " + registration + " → API permissions, and grant consent; `lanyard entra setup` does both."},
	650057: {"the app registration does not list the resource that a token is asked for", Apps, "They add it " + registration + " → API permissions."},
	650052: {"the organisation has no subscription to a service that Lanyard asks a token for, or has not enabled it", Apps, "They enable the service, or the resource is taken out of Lanyard's configuration."},
	70011:  {"a scope that Lanyard asks for does not exist", Operator, "They compare the scopes in Lanyard's configuration with the app registrations of the organisation."},

	// The registration of Lanyard.
	50011: {"the address that Lanyard wants to be led back to is not in its app registration", Apps,
		"They add the redirect URI that the message names, to the letter, " + registration + " → Authentication; `lanyard entra setup` does it."},
	500112:  {"the address that the sign-in came back to is not the one that it was begun with", Operator, "They look at `url` in lanyard.yaml and at what stands in front of Lanyard, which may change it."},
	500113:  {"the app registration has no address to lead back to", Apps, "They add a redirect URI " + registration + " → Authentication; `lanyard entra setup` does it."},
	700016:  {"the organisation has no app of Lanyard's client ID", Operator, "They compare `tenant` and `client_id` in lanyard.yaml with the overview page of the app registration."},
	7000112: {"Lanyard's app is disabled in the organisation", Apps, "They turn on 'Enabled for users to sign in' " + enterprise + " → Properties."},
	700054:  {"the app registration does not allow ID tokens in this way", Apps, "`lanyard entra setup` corrects the registration."},
	50194:   {"Lanyard's app is of one organisation alone, and was asked for without naming it", Operator, "They write the tenant's ID into lanyard.yaml."},
	90130:   {"Lanyard's app is of one organisation alone, and was asked for without naming it", Operator, "They write the tenant's ID into lanyard.yaml."},
	90002:   {"there is no organisation of this tenant ID", Operator, "They compare `tenant` in lanyard.yaml with the overview page of Entra."},
	901002:  {"a parameter of the older protocol was sent", Operator, "They look whether something between Lanyard and the tenant changes requests."},
	900144:  {"a parameter is missing in the request", Operator, "They look whether something between Lanyard and the tenant changes requests."},
	9002313: {"the request is malformed", Operator, "They look whether something between Lanyard and the tenant changes requests."},

	// How Lanyard proves itself.
	7000215: {"Lanyard's client secret is wrong", Operator, "They put the secret's value, not its ID, into the file that lanyard.yaml names. `lanyard entra doctor` tries it."},
	7000222: {"Lanyard's client secret has expired", Operator,
		"They make a new credential " + registration + " → Certificates & secrets, better a federated one or a certificate, and put it where lanyard.yaml says. `lanyard entra doctor` tries it."},
	7000218: {"Lanyard sent no credential", Operator, "They look at `credential` in lanyard.yaml; `lanyard entra doctor` tries it."},
	700025:  {"the app registration is of a public client, which may have no credential", Apps, "They turn off 'Allow public client flows' " + registration + " → Authentication."},
	700027: {"the tenant does not know the certificate by which Lanyard proves itself, or it has expired", Operator,
		"They add it " + registration + " → Certificates & secrets, and look at the clock of Lanyard's machine. `lanyard entra doctor` tries it."},
	700024: {"the time in Lanyard's proof is not now", Operator, "They set the clock of Lanyard's machine right."},
	70021:  {"the tenant has no federated credential that fits Lanyard's token", Operator, "They compare issuer, subject and audience, to the letter, " + registration + " → Certificates & secrets. A new one takes some minutes to be known."},

	// A sign-in or what came of it is over.
	50173:  {"the password was changed, or all sign-ins were ended by the person or an administrator", You, inAndAgain},
	50132:  {"the password was changed, or all sign-ins were ended by the person or an administrator", You, inAndAgain},
	50133:  {"the password was changed or has expired", You, inAndAgain},
	700082: {"it was not used for too long", You, inAndAgain},
	700084: {"its time is over", You, inAndAgain},
	70008:  {"its time is over", You, inAndAgain},
	70000:  {"what Lanyard was given for it is no longer valid", You, inAndAgain},
	54005:  {"the answer of the tenant was used already", You, inAndAgain},
	501481: {"the answer of the tenant belongs to another sign-in", You, inAndAgain},
	700005: {"the answer of the tenant is of another organisation", You, inAndAgain},
	50058:  {"nobody is signed in at the tenant in this browser, or it does not send the tenant's cookies", You, "Sign in again; let the browser keep the cookies of the sign-in page."},
	16000:  {"you are signed in with several accounts, or with another than was asked for", You, "Sign in again and choose the account."},
	50196:  {"too many sign-ins were asked for in a short time", You, "Wait some minutes and sign in again. If it happens again, let whoever runs Lanyard know."},
	70016:  {"the code was not entered yet", You, "Enter it on the page that was named."},
	70019:  {"the code is too old", You, "Begin again and enter the new code within its time."},

	// The tenant itself.
	90033: {"the tenant has a passing fault", You, "Try again in a moment; https://status.azure.com tells of outages."},
	90055: {"the tenant has too much to do", You, "Try again in a minute."},
}
