package provisioning

import (
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// The object IDs of the organisation's people and groups, and the values of the provisioning app's roles.
func userID(n int) string  { return fmt.Sprintf("10000000-0000-4000-8000-%012d", n) }
func groupID(n int) string { return fmt.Sprintf("20000000-0000-4000-8000-%012d", n) }
func userName(n int) string {
	return fmt.Sprintf("u%04d@contoso.example", n)
}

var roleValues = []string{"Payments.Lead", "Shop.Lead", `Odd "role", (1)`}

// organisation is one of people and groups: everybody is in three groups, every tenth group is in the one before it, all
// groups and every fiftieth person are assigned to the provisioning app, some with a role.
func organisation(people, groups int) entrasim.Organisation {
	at := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	org := entrasim.Organisation{TenantID: entrasim.ContosoTenantID, Name: "Contoso", Domain: "contoso.example"}
	provision := entrasim.App{ClientID: provisioningApp, PrincipalID: "7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2910", Name: "Lanyard provisioning", Secret: "unused"}
	for i, value := range roleValues {
		provision.AppRoles = append(provision.AppRoles, entrasim.AppRole{ID: fmt.Sprintf("30000000-0000-4000-8000-%012d", i), Value: value, DisplayName: "Role " + value})
	}
	assign := func(principal string, n int, role string) {
		provision.Assignments = append(provision.Assignments, entrasim.Assignment{ID: fmt.Sprintf("%s-%d", principal, n), PrincipalID: principal, AppRoleID: role, Created: at})
	}
	for n := range groups {
		org.Groups = append(org.Groups, entrasim.Group{ID: groupID(n), DisplayName: fmt.Sprintf("team %03d", n), Description: "A team", CreatedDateTime: at})
		role := entrasim.DefaultAccess
		if n%10 == 3 {
			role = provision.AppRoles[n/10%len(roleValues)].ID
		}
		assign(groupID(n), 0, role)
		if n%10 == 9 {
			org.Groups[n-1].Members = append(org.Groups[n-1].Members, groupID(n))
		}
	}
	for n := range people {
		u := entrasim.User{
			ID: userID(n), UserPrincipalName: userName(n), Mail: fmt.Sprintf("u%04d@mail.contoso.example", n), DisplayName: fmt.Sprintf("Person %d Ünïcode", n),
			GivenName: fmt.Sprintf("Person %d", n), Surname: "Ünïcode", JobTitle: "Engineer", Department: fmt.Sprintf("Department %d", n%7),
			AccountEnabled: true, CreatedDateTime: at,
			More: map[string]string{"employeeId": fmt.Sprintf("E%d", n), "city": "Köln", "country": "DE", "mobile": fmt.Sprintf("+49 1%d", n), "telephoneNumber": "+49 2"},
		}
		if n > 0 {
			u.Manager = userID(n / 10)
		}
		org.Users = append(org.Users, u)
		for k := range 3 {
			g := &org.Groups[(n*(k+1)+k)%groups]
			g.Members = append(g.Members, u.ID)
		}
		if n%50 == 0 {
			assign(u.ID, 0, provision.AppRoles[n/50%len(roleValues)].ID)
		}
	}
	lanyard := entrasim.App{
		ClientID: entrasim.LanyardAppID, PrincipalID: "a1bd88e6-c93e-4422-b264-2be76dcc7b15", Name: "Lanyard", Secret: secret,
		GraphRoles: []string{"User.Read.All", "Group.Read.All", "GroupMember.Read.All", "Application.Read.All"},
	}
	org.Apps = []entrasim.App{lanyard, provision}
	return org
}
