// Package scim lets a tenant's provisioning service tell Lanyard its users and groups (SCIM 2.0, RFC 7643 and 7644),
// in the two dialects that Microsoft Entra ID speaks.
//
// The protocol itself stands in files that know neither HTTP nor a database: a [Registry] knows the schemas, decodes
// resources ([Registry.Decode]), parses filters, paths and queries, and applies a PUT or PATCH to a [Resource]. It
// holds nothing that changes and may be used by many at once.
//
// A group's members are never part of what is patched: they come out as [MemberChange]s, so that a group of 100,000
// costs as much as the change does.
package scim
