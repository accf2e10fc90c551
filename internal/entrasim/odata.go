package entrasim

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// entity is an object in Graph's JSON; select is a projection of it.
type entity = map[string]any

const (
	defaultPage = 100
	largestPage = 999
)

func (t *Tenant) graphURL(path string) string { return t.url + graphPrefix + path }

// context is the @odata.context of an answer.
func (t *Tenant) context(of string, selected []string) string {
	if len(selected) > 0 {
		of += "(" + strings.Join(selected, ",") + ")"
	}
	return t.graphURL("$metadata#" + of)
}

func userEntity(u *userRow) entity {
	return entity{
		"id": u.ID, "userPrincipalName": u.UserPrincipalName, "displayName": u.DisplayName, "givenName": orNull(u.GivenName),
		"surname": orNull(u.Surname), "mail": orNull(u.Mail), "mailNickname": u.UserName(), "jobTitle": orNull(u.JobTitle),
		"department": orNull(u.Department), "accountEnabled": u.AccountEnabled, "userType": u.userType(),
		"createdDateTime": u.CreatedDateTime.UTC().Format(time.RFC3339), "businessPhones": []string{}, "mobilePhone": nil,
		"officeLocation": nil, "preferredLanguage": nil, "onPremisesSyncEnabled": nil,
		"signInSessionsValidFromDateTime": u.SignInsValidFrom.UTC().Format(time.RFC3339),
	}
}

func (u User) userType() string {
	if u.Home != "" {
		return "Guest"
	}
	return "Member"
}

// userDefaults are what Graph returns of a user without $select; accountEnabled is not among them.
func userDefaults() []string {
	return []string{"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation",
		"preferredLanguage", "surname", "userPrincipalName"}
}

func groupEntity(g *groupRow) entity {
	kinds := []string{}
	if g.Unified {
		kinds = []string{"Unified"}
	}
	return entity{
		"id": g.ID, "displayName": g.DisplayName, "description": orNull(g.Description), "mailEnabled": g.Unified,
		"mailNickname": strings.ReplaceAll(g.DisplayName, " ", "-"), "securityEnabled": true, "groupTypes": kinds, "mail": nil,
		"createdDateTime": g.CreatedDateTime.UTC().Format(time.RFC3339), "isAssignableToRole": nil, "visibility": nil,
		"onPremisesSyncEnabled": nil, "securityIdentifier": nil,
	}
}

func groupDefaults() []string {
	return []string{"id", "displayName", "description", "mailEnabled", "mailNickname", "securityEnabled", "groupTypes", "mail",
		"createdDateTime", "isAssignableToRole", "visibility", "onPremisesSyncEnabled", "securityIdentifier"}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// projected keeps the selected properties, and id always.
func projected(e entity, selected []string) entity {
	out := entity{"id": e["id"]}
	for _, name := range selected {
		if value, there := e[name]; there {
			out[name] = value
		}
	}
	return out
}

// selection reads $select, checked against the properties of an example. An empty result means
// that there was none.
func selection(query url.Values, kind string, example entity, also ...string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(query.Get("$select"), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if kind == "user" && slices.Contains(elsewhere, name) {
			return nil, &graphError{Status: 501, Code: "NotImplemented", Message: "This operation target is not yet supported."}
		}
		if _, known := example[name]; !known && !slices.Contains(also, name) {
			return nil, &graphError{Status: 400, Code: "BadRequest", Message: "Parsing OData Select and Expand failed: Could not find a property named '" +
				name + "' on type 'microsoft.graph." + kind + "'."}
		}
		names = append(names, name)
	}
	return names, nil
}

// elsewhere are properties of a user that other services keep; listings and deltas do not have them.
var elsewhere = []string{"aboutMe", "birthday", "hireDate", "interests", "mySite", "pastProjects", "preferredName", "responsibilities", "schools",
	"skills", "mailboxSettings"}

func pageSize(query url.Values) (int, error) {
	param := query.Get("$top")
	if param == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(param)
	if err != nil || n < 1 || n > largestPage {
		return 0, &graphError{Status: 400, Code: "Request_UnsupportedQuery", Message: "Invalid page size specified: '" + param +
			"'. Must be between 1 and 999 inclusive."}
	}
	return n, nil
}

// page cuts a sorted list of IDs: those after the $skiptoken, at most $top. next is the link to the
// rest, empty at the end.
func (t *Tenant) page(r graphRequest, ids []string) (cut []string, next string, err error) {
	query := r.URL.Query()
	size, err := pageSize(query)
	if err != nil {
		return nil, "", err
	}
	if token := query.Get("$skiptoken"); token != "" {
		after, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", badRequest("The skip token is invalid.")
		}
		at, found := slices.BinarySearch(ids, string(after))
		if found {
			at++
		}
		ids = ids[at:]
	}
	if len(ids) <= size {
		return ids, "", nil
	}
	query.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(ids[size-1])))
	return ids[:size], t.url + r.URL.Path + "?" + oDataQuery(query), nil
}

// oDataQuery encodes parameters but leaves the $ of their names readable, as Graph's links do.
func oDataQuery(query url.Values) string { return strings.ReplaceAll(query.Encode(), "%24", "$") }
