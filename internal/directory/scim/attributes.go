package scim

// The schemas of RFC 7643 §4 and §8.7.1, less what Lanyard does not keep: passwords.

func userAttributes() []*attribute {
	return []*attribute{
		{Name: "userName", Type: typeString, Description: "The name a person signs in with; unique. In Entra the user principal name.", Required: true, Mutability: readWrite, Returned: byDefault, Uniqueness: "server"},
		complexOf("name", "The parts of the person's name.",
			text("formatted", "The whole name."), text("familyName", "The family name."), text("givenName", "The given name."),
			text("middleName", "The middle names."), text("honorificPrefix", "The title before the name."), text("honorificSuffix", "What follows the name.")),
		text("displayName", "The name that is shown."),
		text("nickName", "The name among friends."),
		reference("profileUrl", "A page about the person.", "external"),
		text("title", "The person's title, such as Vice President."),
		text("userType", "The relation to the organisation, such as Contractor."),
		text("preferredLanguage", "The preferred language, as in Accept-Language."),
		text("locale", "How dates and currencies are written, such as en-US."),
		text("timezone", "The time zone, such as Europe/Berlin."),
		flag("active", "Whether the person may work. False disables, and keeps the memberships."),
		many("emails", "Addresses of electronic mail.", text("value", "The address."), kinds("work", "home", "other")),
		many("phoneNumbers", "Telephone numbers.", text("value", "The number."), kinds("work", "home", "mobile", "fax", "pager", "other")),
		many("ims", "Addresses of instant messages.", text("value", "The address."), kinds()),
		many("photos", "Pictures of the person.", reference("value", "Where the picture is.", "external"), kinds("photo", "thumbnail")),
		addresses(),
		groups(),
		many("entitlements", "What the person is entitled to.", text("value", "The entitlement."), kinds()),
		many("roles", "Values of the app roles that the tenant gives the person.", exact(text("value", "The app role's value.")), kinds()),
		many("x509Certificates", "Certificates of the person.", &attribute{Name: "value", Type: typeBinary, Description: "The certificate, DER in base64.", CaseExact: true, Mutability: readWrite, Returned: byDefault, Uniqueness: "none"}, kinds()),
	}
}

func groupAttributes() []*attribute {
	members := many("members", "The users and groups in this group.",
		&attribute{Name: "value", Type: typeString, Description: "The id of the member.", CaseExact: true, Mutability: immutable, Returned: byDefault, Uniqueness: "none"},
		&attribute{Name: "type", Type: typeString, Description: "What the member is.", Canonical: []string{"User", "Group"}, Mutability: immutable, Returned: byDefault, Uniqueness: "none"})
	members.SubAttributes = []*attribute{
		members.SubAttributes[0],
		{Name: "$ref", Type: typeReference, Description: "Where the member is.", CaseExact: true, Mutability: immutable, Returned: byDefault, Uniqueness: "none", References: []string{"User", "Group"}},
		{Name: "display", Type: typeString, Description: "The member's name.", Mutability: readOnly, Returned: byDefault, Uniqueness: "none"},
		members.SubAttributes[2],
	}
	return []*attribute{
		{Name: "displayName", Type: typeString, Description: "The group's name.", Required: true, Mutability: readWrite, Returned: byDefault, Uniqueness: "none"},
		members,
	}
}

func enterpriseAttributes() []*attribute {
	manager := complexOf("manager", "The person's manager.",
		exact(text("value", "The id of the manager.")),
		reference("$ref", "Where the manager is.", "User"),
		text("displayName", "The manager's name."))
	manager.SubAttributes[2].Mutability = readOnly
	return []*attribute{
		text("employeeNumber", "The number or name by which the organisation knows the person."),
		text("costCenter", "The cost centre."), text("organization", "The organisation."),
		text("division", "The division."), text("department", "The department."),
		manager,
	}
}

// commonAttributes are those of every resource (RFC 7643 §3.1), which stand in no schema.
func commonAttributes() []*attribute {
	id := exact(text("id", "The identifier of the resource here."))
	id.Mutability, id.Returned, id.Uniqueness = readOnly, always, "server"
	external := exact(text("externalId", "The identifier of the resource at the tenant; opaque."))
	meta := complexOf("meta", "What the server says of the resource.",
		exact(text("resourceType", "User or Group.")),
		&attribute{Name: "created", Type: typeDateTime}, &attribute{Name: "lastModified", Type: typeDateTime},
		exact(reference("location", "Where the resource is.", "uri")), exact(text("version", "The entity tag.")))
	meta.Mutability = readOnly
	for _, s := range meta.SubAttributes {
		s.Mutability, s.Returned, s.Uniqueness = readOnly, byDefault, "none"
	}
	schemas := exact(&attribute{Name: "schemas", Type: typeReference, MultiValued: true, Mutability: readOnly, Returned: always, Uniqueness: "none"})
	return []*attribute{id, external, meta, schemas}
}

func text(name, description string) *attribute {
	return &attribute{Name: name, Type: typeString, Description: description, Mutability: readWrite, Returned: byDefault, Uniqueness: "none"}
}

func flag(name, description string) *attribute {
	a := text(name, description)
	a.Type = typeBoolean
	return a
}

func reference(name, description string, to ...string) *attribute {
	a := exact(text(name, description))
	a.Type, a.References = typeReference, to
	return a
}

func exact(a *attribute) *attribute {
	a.CaseExact = true
	return a
}

func complexOf(name, description string, subs ...*attribute) *attribute {
	a := text(name, description)
	a.Type, a.SubAttributes = typeComplex, subs
	return a
}

func kinds(canonical ...string) *attribute {
	a := text("type", "What the value is for.")
	a.Canonical = canonical
	return a
}

// many is a multi-valued attribute with the sub-attributes of RFC 7643 §2.4.
func many(name, description string, value, kind *attribute) *attribute {
	a := complexOf(name, description, value, text("display", "The value as it is shown."), kind, flag("primary", "Whether this is the preferred one; true for one at most."))
	a.MultiValued = true
	return a
}

func addresses() *attribute {
	a := complexOf("addresses", "Postal addresses.",
		text("formatted", "The whole address."), text("streetAddress", "Street and number."), text("locality", "The city."),
		text("region", "The state or region."), text("postalCode", "The postal code."), text("country", "The country, two letters (ISO 3166-1)."),
		kinds("work", "home", "other"), flag("primary", "Whether this is the preferred one; true for one at most."))
	a.MultiValued = true
	return a
}

func groups() *attribute {
	a := many("groups", "The groups the person is in. They are changed at the groups.", exact(text("value", "The id of the group.")), kinds("direct", "indirect"))
	a.SubAttributes = []*attribute{a.SubAttributes[0], reference("$ref", "Where the group is.", "Group"), a.SubAttributes[1], a.SubAttributes[2]}
	a.Mutability = readOnly
	for _, s := range a.SubAttributes {
		s.Mutability = readOnly
	}
	return a
}
