// Package provisioning is a provisioning service as a tenant of Microsoft Entra ID runs one: it drives any SCIM 2.0
// endpoint (RFC 7644) with what changes in the tenant, in either of the two dialects that Entra speaks, with the order
// of requests, the forms of values and the omissions that Microsoft documents.
//
// What a real one does not do, this one does not do either: a user that is disabled is not created; a value that
// became empty is not taken away; memberships are not sent again when a user comes back; a user who left the scope is
// disabled and no longer followed; roles in the modes [Single] and [Complex] are added only, so that what was taken at
// the tenant stays at the endpoint; /Bulk, PUT and ETags are not used.
package provisioning
