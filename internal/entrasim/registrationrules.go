package entrasim

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// written are the properties of an application object that are written in other ways, or not at all.
var written = []string{"id", "appId", "createdDateTime", "deletedDateTime", "publisherDomain", "verifiedPublisher", "certification",
	"disabledByMicrosoftStatus", "applicationTemplateId", "passwordCredentials"}

// mergedManifest is an application object after a change: a complex property keeps what the change does not name.
func mergedManifest(into, change entity) (entity, error) {
	example := newManifest()
	for name, value := range change {
		if strings.HasPrefix(name, "@odata.") {
			continue
		}
		if _, known := example[name]; !known || slices.Contains(written, name) {
			return nil, badRequest("Invalid property '" + name + "'.")
		}
		into[name] = mergedValue(into[name], value)
	}
	return into, nil
}

func mergedValue(former, now any) any {
	was, isWas := former.(map[string]any)
	is, isIs := now.(map[string]any)
	if !isWas || !isIs {
		return now
	}
	for name, value := range is {
		was[name] = mergedValue(was[name], value)
	}
	return was
}

// check applies Graph's rules to a changed application object. former is what it was, zero for a new one.
func (t *Tenant) check(a App, former, m manifest) error {
	if strings.TrimSpace(m.DisplayName) == "" {
		return badRequest("A value is required for property 'displayName' of resource 'Application'.")
	}
	if former.UniqueName != "" && former.UniqueName != m.UniqueName {
		return badRequest("Property 'uniqueName' is read-only and cannot be set.")
	}
	audiences := []string{"AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"}
	switch version := m.API.RequestedAccessTokenVersion; {
	case !slices.Contains(audiences, m.SignInAudience):
		return badRequest("Invalid value specified for property 'signInAudience' of resource 'Application'.")
	case version < 0 || version > 2, strings.Contains(m.SignInAudience, "Personal") && version != 2:
		return badRequest("Property api.requestedAccessTokenVersion is invalid.")
	}
	claims := []string{"", "None", "SecurityGroup", "DirectoryRole", "ApplicationGroup", "All"}
	for one := range strings.SplitSeq(m.GroupMembershipClaims, ",") {
		if !slices.Contains(claims, strings.TrimSpace(one)) {
			return badRequest("Invalid value specified for property 'groupMembershipClaims' of resource 'Application'.")
		}
	}
	for _, uri := range slices.Concat(m.Web.RedirectURIs, m.SPA.RedirectURIs, []string{m.Web.LogoutURL}) {
		if uri != "" && !isWebAddress(uri) {
			return badRequest("Invalid value specified for property 'redirectUris' of resource 'Application': " + uri + ". Must start with 'HTTPS' or 'http://localhost'.")
		}
	}
	for _, uri := range m.IdentifierURIs {
		if err := t.checkIdentifier(a, uri, former.IdentifierURIs); err != nil {
			return err
		}
	}
	if err := checkRoles(former, m); err != nil {
		return err
	}
	return checkScopes(former, m)
}

// isWebAddress allows http for what is on the same machine only.
func isWebAddress(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Fragment != "" || strings.Contains(u.Host, "*") {
		return false
	}
	name := strings.ToLower(u.Hostname())
	ip := net.ParseIP(name)
	return u.Scheme == "https" || u.Scheme == "http" && (name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && ip.IsLoopback())
}

// checkIdentifier takes what names the app itself, the tenant or its domain, and nobody else's name. t.mu is held.
func (t *Tenant) checkIdentifier(a App, uri string, former []string) error {
	if slices.Contains(former, uri) {
		return nil
	}
	low := strings.ToLower(uri)
	if !strings.Contains(low, a.ClientID) && !strings.Contains(low, strings.ToLower(t.org.TenantID)) && !strings.Contains(low, strings.ToLower(t.org.Domain)) {
		return badRequest("Failed to add identifier URI " + uri + ". All newly added URIs must contain a tenant verified domain, tenant ID, or app ID, " +
			"as per the default tenant policy of your organization.")
	}
	for _, other := range t.apps {
		if other.ClientID != a.ClientID && slices.ContainsFunc(other.IdentifierURIs, func(o string) bool { return strings.EqualFold(o, uri) }) {
			return badRequest("Another object with the same value for property identifierUris already exists.")
		}
	}
	return nil
}

// errEnabled is the refusal to delete a role or scope that was not disabled before.
func errEnabled() error {
	return &graphError{Status: 400, Code: "CannotDeleteOrUpdateEnabledEntitlement", Message: "Property value cannot be deleted unless it is disabled first."}
}

func checkRoles(former, m manifest) error {
	ids, values := map[string]bool{}, map[string]bool{}
	for _, r := range m.AppRoles {
		id, value := strings.ToLower(r.ID), r.Value
		switch {
		case !isGUID(id) || ids[id]:
			return badRequest("Invalid value specified for property 'id' of resource 'AppRole': it has to be a GUID that no other role has.")
		case r.DisplayName == "" || r.Description == "":
			return badRequest("A value is required for properties 'displayName' and 'description' of resource 'AppRole'.")
		case len(r.AllowedMemberTypes) == 0 || slices.ContainsFunc(r.AllowedMemberTypes, func(k string) bool { return k != "User" && k != "Application" }):
			return badRequest("Invalid value specified for property 'allowedMemberTypes' of resource 'AppRole'.")
		case value != "" && values[value]:
			return badRequest("Value '" + value + "' is used by more than one app role.")
		case strings.ContainsAny(value, " \t\"\\") || len(value) > 120:
			return badRequest("Invalid value specified for property 'value' of resource 'AppRole'.")
		}
		ids[id], values[value] = true, true
	}
	for _, r := range former.AppRoles {
		if r.IsEnabled && !ids[strings.ToLower(r.ID)] {
			return errEnabled()
		}
	}
	return nil
}

func checkScopes(former, m manifest) error {
	ids := map[string]bool{}
	for _, s := range m.API.Oauth2PermissionScopes {
		id := strings.ToLower(s.ID)
		if !isGUID(id) || ids[id] || s.Value == "" || s.AdminConsentDisplayName == "" || s.AdminConsentDescription == "" {
			return badRequest("Invalid value specified for property 'oauth2PermissionScopes' of resource 'Application': a scope has an id that is a GUID, " +
				"a value, and a display name and description for administrators.")
		}
		ids[id] = true
	}
	for _, s := range former.API.Oauth2PermissionScopes {
		if s.IsEnabled && !ids[strings.ToLower(s.ID)] {
			return errEnabled()
		}
	}
	return nil
}

func decodeKey(key string) ([]byte, error) { return base64.StdEncoding.DecodeString(key) }

// keyEntity is a key credential of a certificate, with what was not said filled in from it.
func keyEntity(said entity, der []byte) (entity, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, badRequest("Key credentials: the value of 'key' is not an X.509 certificate.")
	}
	sum := sha1.Sum(der)
	thumbprint := base64.StdEncoding.EncodeToString(sum[:])
	k := entity{"keyId": guidOf("key", thumbprint), "type": "AsymmetricX509Cert", "usage": "Verify", "displayName": "CN=" + cert.Subject.CommonName,
		"startDateTime": cert.NotBefore.UTC().Format(time.RFC3339), "endDateTime": cert.NotAfter.UTC().Format(time.RFC3339), "customKeyIdentifier": thumbprint}
	for name, value := range said {
		if value != nil {
			k[name] = value
		}
	}
	k["key"] = base64.StdEncoding.EncodeToString(der)
	switch {
	case k["type"] != "AsymmetricX509Cert":
		return nil, badRequest("Key credentials: the type of a certificate is AsymmetricX509Cert.")
	case k["usage"] != "Verify" && k["usage"] != "Sign":
		return nil, badRequest("Key credentials: the usage is Verify.")
	}
	if end, err := time.Parse(time.RFC3339, fmt.Sprint(k["endDateTime"])); err != nil || end.After(cert.NotAfter.Add(time.Second)) {
		return nil, &graphError{Status: 400, Code: "KeyCredentialsInvalidEndDate", Message: "Key credential end date is invalid."}
	}
	return k, nil
}

// completeKeys fills key credentials in; one that is named by its keyId alone keeps its key.
func completeKeys(former, now entity) error {
	list, _ := now["keyCredentials"].([]any)
	before, _ := former["keyCredentials"].([]any)
	for i, one := range list {
		said, _ := one.(map[string]any)
		encoded, _ := said["key"].(string)
		for _, b := range before {
			if old, _ := b.(map[string]any); encoded == "" && old["keyId"] != nil && old["keyId"] == said["keyId"] {
				encoded, _ = old["key"].(string)
			}
		}
		der, err := decodeKey(encoded)
		if err != nil || len(der) == 0 {
			return badRequest("Key credentials: a certificate is given in 'key', in base64.")
		}
		if list[i], err = keyEntity(said, der); err != nil {
			return err
		}
	}
	return nil
}
