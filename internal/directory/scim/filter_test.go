package scim_test

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

const person = `{"id":"2819","externalId":"AbC","userName":"Ada@Contoso.example","active":true,"title":"","name":{"familyName":"Lovelace","givenName":"Ada"},
	"emails":[{"type":"work","value":"ada@work.example","primary":true},{"type":"home","value":"ADA@home.example"}],
	"roles":[{"value":"Payments.Lead","primary":true}],"meta":{"lastModified":"2026-11-23T08:00:00.000Z","resourceType":"User"},
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Engines","manager":{"value":"7"}}}`

func TestFilterMatches(t *testing.T) {
	res := parsed(t, person)
	for filter, want := range map[string]bool{
		"":                                                   true,
		`userName eq "ada@contoso.example"`:                  true, // not case-exact
		`USERNAME EQ "Ada@Contoso.example"`:                  true,
		`userName ne "ada@contoso.example"`:                  false,
		`userName co "CONTOSO"`:                              true,
		`userName sw "ada"`:                                  true,
		`userName ew ".EXAMPLE"`:                             true,
		`userName sw "contoso"`:                              false,
		`externalId eq "AbC"`:                                true,
		`externalId eq "abc"`:                                false, // case-exact
		`externalId eq AbC`:                                  true,  // as in Entra's documentation
		`externalId eq AbC and active eq true`:               true,
		`(externalId eq AbC)`:                                true,
		`id eq 2819`:                                         true, // a string all the same
		`active eq "True"`:                                   true,
		`active eq false`:                                    false,
		`active ne false`:                                    true,
		`title pr`:                                           false,
		`nickName pr`:                                        false,
		`nickName eq null`:                                   true,
		`nickName ne "x"`:                                    true,
		`userName eq null`:                                   false,
		`userName ne null`:                                   true,
		`name pr`:                                            true,
		`name.familyName eq "lovelace"`:                      true,
		`emails pr`:                                          true,
		`emails eq "ada@home.example"`:                       true,
		`emails.value eq "ada@home.example"`:                 true,
		`emails ne "ada@home.example"`:                       false,
		`emails[type eq "work"]`:                             true,
		`emails[type eq "work" and value co "home"]`:         true == false,
		`emails[type eq "home" and value co "home"]`:         true,
		`emails[type eq "other" or primary eq true]`:         true,
		`emails[not (type eq "work")]`:                       true,
		`emails[type eq "work"].value eq "ADA@work.example"`: true,
		`emails[type eq "work"].value eq "ada@home.example"`: false,
		`emails[type eq "work" or type eq "home"].Value ew "home.example"`:                   true,
		`roles[primary eq "True"].value eq "Payments.Lead"`:                                  true,
		`roles.value eq "payments.lead"`:                                                     false,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "a"`:                         true,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "engines"`: true,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "7"`:    true,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0User:department eq "engines"`:  true,
		`department eq "engines"`:                                                            true,
		`id eq "2819" and manager eq "7"`:                                                    true, // what Entra asks before it sets a manager
		`id eq 2819 and manager eq 8`:                                                        false,
		`meta.lastModified gt "2026-11-23T07:59:59Z"`:                                        true,
		`meta.lastModified ge "2026-11-23T09:00:00+01:00"`:                                   true,
		`meta.lastModified lt "2026-11-23T08:00:00Z"`:                                        false,
		`meta.lastModified le "2026-11-23T08:00:00Z"`:                                        true,
		`meta.resourceType eq "User"`:                                                        true,
		`userName gt "aaa" and userName lt "b"`:                                              true,
		`userName ge "ada@contoso.example"`:                                                  true,
		`title eq "x" or userName sw "ada" and active eq true`:                               true,
		`(title eq "x" or userName sw "ada") and active eq false`:                            false,
		`not (active eq false) and not(title pr)`:                                            true,
		`shoeSize eq 43`:                      false,
		`shoeSize eq null`:                    true,
		`shoeSize ne 43`:                      true,
		`shoes[size eq 43]`:                   false,
		`urn:example:other:2.0:User:x eq "y"`: false,
	} {
		f, err := registry.ParseFilter(scim.User, filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if got := f.Match(res); got != want {
			t.Errorf("%s: %v", filter, got)
		}
		again, err := registry.ParseFilter(scim.User, f.String())
		if err != nil || again.String() != f.String() || again.Match(res) != want {
			t.Errorf("%s is written as %s, which is read as %s, %v", filter, f, again, err)
		}
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, filter := range []string{
		`userName`, `userName eq`, `userName xx "a"`, `eq "a"`, `userName eq "a`, `userName eq "a" and`, `userName eq "a" or or title pr`,
		`(userName eq "a"`, `userName eq "a")`, `not userName eq "a"`, `not (`, `emails[type eq "work"`, `emails[]`, `emails[type[value pr]]`,
		`userName[value eq "a"]`, `name eq "x"`, `active eq "maybe"`, `active gt true`, `active co "t"`, `userName gt null`,
		`x509Certificates.value co "A"`, `meta.created gt "yesterday"`, `userName eq "a" title eq "b"`, `1 eq 2`, `a.b.c eq 1`, `a..b pr`,
		scim.UserURN + ` eq "x"`, "userName eq \"a\x00\"", `userName eq "\u0000"`, "userName eq \"\xff\"", `"userName" eq "a"`, `[`, `)`,
		strings.Repeat("(", 100) + "title pr" + strings.Repeat(")", 100), "title pr" + strings.Repeat(" and title pr", 600), strings.Repeat("a", 20_000) + " pr",
	} {
		_, err := registry.ParseFilter(scim.User, filter)
		refused(t, filter, err, 400, scim.InvalidFilter)
	}
}

// A name with a backslash comes as it is, or escaped as JSON has it.
func TestFilterBackslash(t *testing.T) {
	for _, filter := range []string{`userName eq "CONTOSO\ada"`, `userName eq "CONTOSO\\ada"`} {
		f, err := registry.ParseFilter(scim.User, filter)
		if err != nil || !f.Match(scim.Resource{"userName": `contoso\ada`}) {
			t.Errorf("%s: %v %v", filter, f, err)
		}
	}
}

func TestFilterEqualities(t *testing.T) {
	for filter, want := range map[string][]scim.Equality{
		`USERNAME eq "A"`:                     {{"userName", "A", false}},
		`externalId eq 12 and title pr`:       {{"externalId", "12", true}},
		`id eq a and (manager eq b)`:          {{"id", "a", true}, {scim.EnterpriseURN + ":manager.value", "b", true}},
		`emails[type eq "work"].value eq "x"`: {{"emails.type", "work", false}, {"emails.value", "x", false}},
		`emails eq "x"`:                       {{"emails.value", "x", false}},
		`userName eq "a" or userName eq "b"`:  nil,
		`not (userName eq "a")`:               nil,
		`userName ne "a"`:                     nil,
		`active eq true`:                      nil,
	} {
		f, err := registry.ParseFilter(scim.User, filter)
		if err != nil {
			t.Fatal(err)
		}
		same(t, filter, f.Equalities(), want)
	}
	f, err := registry.ParseFilter(scim.Group, `displayName eq "g" and (members[value eq "m"] or externalId pr)`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "equalities", f.Equalities(), []scim.Equality{{Attribute: "displayName", Value: "g"}})
	same(t, "attributes", f.Attributes(), []string{"displayName", "externalId", "members"})
}

func TestPath(t *testing.T) {
	enterprise := scim.EnterpriseURN
	for path, want := range map[string]string{
		"USERNAME": "userName", "name.FamilyName": "name.familyName", ` emails[TYPE eq "work"].Value `: `emails[type eq "work"].value`,
		`addresses[type eq "other"].Formatted`: `addresses[type eq "other"].formatted`, `roles[primary eq "True"].value`: `roles[primary eq true].value`,
		"manager": enterprise + ":manager", enterprise + ":manager.value": enterprise + ":manager.value", enterprise: enterprise,
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0User:department": enterprise + ":department",
		scim.UserURN + ":userName": "userName", "roles.displayName": "roles.display",
		"shoeSize": "shoeSize", "name.shoeSize": "name.shoeSize", `emails[type eq "work"].colour`: "emails.colour",
		"urn:ietf:params:scim:schemas:extension:Custom:2.0:User:x": "urn:ietf:params:scim:schemas:extension:Custom:2.0:User:x",
	} {
		p, err := registry.ParsePath(scim.User, path)
		if err != nil || p.String() != want {
			t.Errorf("%s is %s, %v; want %s", path, p, err, want)
			continue
		}
		if again, err := registry.ParsePath(scim.User, p.String()); err != nil || again.String() != want || again.Known() != p.Known() {
			t.Errorf("%s is written as %s, which is read as %s, %v", path, p, again, err)
		}
	}
	for _, path := range []string{"", ".", "a.b.c", "emails[", `emails[type eq "work"`, `emails[type eq "work"] x`, `userName[value pr]`, `emails[type eq "work"].`, `name.familyName[x pr]`, "userName eq 1", `"x"`, "a\x00"} {
		_, err := registry.ParsePath(scim.User, path)
		refused(t, path, err, 400, scim.InvalidPath)
	}
}
