// Package provision is Lanyard's SCIM 2.0 service provider (RFC 7644), as Microsoft Entra's provisioning service speaks it:
// the addresses below /scim/v2, the credentials that open them and nothing else, and what is made of the directory from
// what the service says.
package provision
