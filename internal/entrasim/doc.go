// Package entrasim is an embedded directory tenant that looks to a client as Microsoft Entra ID
// and Microsoft Graph do. It is for trying and testing only: its sample passwords are printed on
// its sign-in page, its portal asks for no password, and it protects nothing.
//
// One listener serves four faces under [Config.URL], and answers to that host name alone:
//
//   - /{tenant}/v2.0 and /{tenant}/oauth2/v2.0: discovery, keys, authorize, token, logout
//   - /v1.0: the part of Microsoft Graph that a directory client needs, with delta queries and
//     change notifications
//   - /oidc/userinfo
//   - /portal: pages on which people, groups, memberships, app-role assignments and what goes wrong are changed by hand
//
// It can be of any size ([Organisation.Grown]), changes by itself ([Churn]), and does wrong on purpose what [Faults] say.
//
// What a real tenant does not do, this one does not do either: discovery does not advertise PKCE,
// a refresh token stays valid after it was used, sign-out does not revoke refresh tokens, and a
// token's iat lies five minutes in the past.
package entrasim
