// Package entrasim is an embedded directory tenant that looks to a client as Microsoft Entra ID
// and Microsoft Graph do. It is for trying and testing only: its sample passwords are printed on
// its sign-in page, its portal asks for no password, and it protects nothing.
//
// One listener serves four faces under [Config.URL], and answers to that host name alone:
//
//   - /{tenant}/v2.0 and /{tenant}/oauth2/v2.0: discovery, keys, authorize, token, logout, and consent
//   - /v1.0: the parts of Microsoft Graph that a directory client needs, with delta queries and change notifications,
//     and that register apps, give them permissions, say what Conditional Access wants, and list sign-ins
//   - /oidc/userinfo
//   - /portal: pages on which all of it, and what goes wrong, is changed by hand
//
// It can be of any size ([Organisation.Grown]), changes by itself ([Churn]), and does wrong on purpose what [Faults] say.
//
// What a real tenant does not do, this one does not do either: discovery does not advertise PKCE,
// a refresh token stays valid after it was used, sign-out does not revoke refresh tokens, and a
// token's iat lies five minutes in the past.
//
// Where it cannot be like one it says so on its pages: a second factor is a code that the page shows, and a device is
// what the person says it is.
package entrasim
