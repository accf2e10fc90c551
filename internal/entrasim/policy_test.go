package entrasim

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// arrive signs a person in with Lanyard's app and redeems the code.
func (w *world) arrive(p Person, options ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	w.t.Helper()
	p.Password = or(p.Password, password(p.User))
	browser := newBrowser()
	defer browser.CloseIdleConnections()
	back, err := SignInAs(w.t.Context(), browser, w.lanyard().AuthCodeURL("st", options...), p)
	if err != nil {
		return nil, err
	}
	if failed := back.Query().Get("error"); failed != "" {
		return nil, fmt.Errorf("%s: %s", failed, back.Query().Get("error_description"))
	}
	return w.lanyard().Exchange(w.ctx(), back.Query().Get("code"))
}

func (w *world) policy(p Policy) Policy {
	w.t.Helper()
	made, err := w.SetPolicy(p)
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// refresh redeems a refresh token and gives the refusal's number and suberror, 0 when there is none.
func (w *world) refresh(token *oauth2.Token, more ...string) (code int, sub, claims string) {
	w.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	status, body := w.post(form)
	if status == http.StatusOK {
		return 0, "", ""
	}
	sub, _ = body["suberror"].(string)
	claims, _ = body["claims"].(string)
	return int(body["error_codes"].([]any)[0].(float64)), sub, claims
}

func TestPoliciesAtSignInAndRefresh(t *testing.T) {
	w := newWorld(t, contoso())
	token, err := w.arrive(Person{User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	base := Policy{Name: "p", Users: []string{All}, ExcludeGroups: []string{LanyardAdminsID}, Apps: []string{LanyardAppID}}
	for _, c := range []struct {
		name      string
		with      func(*Policy)
		wants     string // at the page
		code      int    // at refresh
		sub       string
		satisfied Person
	}{
		{"block", func(p *Policy) { p.Controls = []string{ControlBlock} }, "AADSTS53003", 53003, "message_only", Person{User: "margaret"}},
		{"device", func(p *Policy) { p.Controls = []string{ControlDevice} }, "AADSTS53000", 53000, "message_only", Person{User: "ada", Device: DeviceCompliant}},
		{"domain", func(p *Policy) { p.Controls = []string{ControlJoined} }, "AADSTS53001", 53001, "message_only", Person{User: "ada", Device: DeviceJoined}},
		{"mfa", func(p *Policy) { p.Controls = []string{ControlMFA} }, "AADSTS500121", 50076, "basic_action", Person{User: "ada"}},
		{"one of two", func(p *Policy) { p.Controls, p.AnyControl = []string{ControlMFA, ControlDevice}, true }, "AADSTS500121", 50076, "basic_action", Person{User: "ada", Device: DeviceCompliant, Denies: true}},
	} {
		p := base
		c.with(&p)
		made := w.policy(p)
		if _, err := w.arrive(Person{User: "ada", Denies: true}); err == nil || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%s at the page: %v", c.name, err)
		}
		code, sub, asked := w.refresh(token)
		if code != c.code || sub != c.sub || !strings.Contains(asked, made.ID) {
			t.Errorf("%s at refresh: %d %s %s", c.name, code, sub, asked)
		}
		if _, err := w.arrive(c.satisfied); err != nil {
			t.Errorf("%s for %v: %v", c.name, c.satisfied, err)
		}
		made.State = PolicyReportOnly
		w.policy(made)
		if code, _, _ := w.refresh(token); code != 0 {
			t.Errorf("%s, reported only: %d", c.name, code)
		}
		if err := w.RemovePolicy(made.ID); err != nil {
			t.Fatal(err)
		}
	}
	p := base
	p.SignInFrequency = time.Hour
	w.policy(p)
	if code, _, _ := w.refresh(token); code != 0 {
		t.Errorf("within the hour: %d", code)
	}
	w.clock.Add(time.Hour)
	if code, _, _ := w.refresh(token); code != 70043 {
		t.Errorf("after the hour: %d", code)
	}
}

// Who loses the assignment that an app wants gets no new tokens for it.
func TestRefreshTakesTheAssignment(t *testing.T) {
	org := contoso()
	org.Apps[0].AssignmentRequired = true
	w := newWorld(t, org)
	token := w.signIn("ada")
	if code, _, _ := w.refresh(token); code != 0 {
		t.Errorf("assigned: %d", code)
	}
	if err := w.RemoveMember("payments-engineers", "ada"); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := w.refresh(token); code != 50105 {
		t.Errorf("not assigned any more: %d", code)
	}
}

func TestPoliciesAreOfUsersGroupsAndApps(t *testing.T) {
	w := newWorld(t, contoso())
	for _, c := range []struct {
		name string
		Policy
		blocks bool
	}{
		{"all", Policy{Users: []string{All}, Apps: []string{All}}, true},
		{"through a group in a group", Policy{Groups: []string{PaymentsEngineersID}, Apps: []string{LanyardAppID}}, true},
		{"guests, of whom barbara is none", Policy{Users: []string{Guests}, Apps: []string{All}}, false},
		{"another group", Policy{Groups: []string{ShopLeadsID}, Apps: []string{All}}, false},
		{"another app", Policy{Users: []string{BarbaraID}, Apps: []string{ContosoGitAppID}}, false},
		{"an excluded app", Policy{Users: []string{All}, Apps: []string{All}, ExcludeApps: []string{LanyardAppID}}, false},
		{"an excluded person", Policy{Users: []string{All}, ExcludeUsers: []string{BarbaraID}, Apps: []string{All}}, false},
		{"switched off", Policy{Users: []string{All}, Apps: []string{All}, State: PolicyDisabled}, false},
		{"a context that is not asked for", Policy{Users: []string{All}, Contexts: []string{"c7"}}, false},
	} {
		c.Name, c.Controls = c.name, []string{ControlBlock}
		made := w.policy(c.Policy)
		if _, err := w.arrive(Person{User: "barbara"}); (err != nil) != c.blocks {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := w.RemovePolicy(made.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// The table of Microsoft's documentation: which contexts are in a token, by what was asked, who asks and how they signed in.
func TestContextsAreIssuedAsDocumented(t *testing.T) {
	table := fixture[struct {
		Rows []struct {
			User              string
			MFA               *bool
			Requested, Issued []string
			Blocked           bool
			Satisfied         *bool `json:"control_satisfied"`
		}
	}](t, "acrs-expected-behaviour.json")
	org := contoso()
	org.StepUp = nil
	people := map[string]string{"Ariel": AdaID, "Jay": JoyID}
	org.Policies = []Policy{
		{Name: "A", Users: []string{All}, ExcludeUsers: []string{people["Ariel"]}, Contexts: []string{"c1"}, Controls: []string{ControlMFA}},
		{Name: "B", Users: []string{All}, ExcludeUsers: []string{people["Jay"]}, Contexts: []string{"c2", "c3"}, Controls: []string{ControlBlock}},
	}
	w := newWorld(t, org)
	w.mu.Lock()
	defer w.mu.Unlock()
	app, _ := w.app(LanyardAppID)
	for i, row := range table.Rows {
		s := signIn{UserID: people[row.User], AuthTime: w.now(), Contexts: row.Requested}
		if row.MFA != nil && *row.MFA {
			s.MFAAt = w.now()
		}
		refused := w.conditional(s, access{apps: []string{app.ClientID}, contexts: row.Requested})
		if lacks := row.Satisfied != nil && !*row.Satisfied; (refused != nil) != (row.Blocked || lacks) {
			t.Errorf("row %d: refused: %v", i+1, refused)
		}
		if refused != nil {
			continue
		}
		c := map[string]any{}
		w.optional(c, app, issue{signIn: s, client: app}, row.Requested)
		got, _ := c["acrs"].([]string)
		if !slices.Equal(got, row.Issued) {
			t.Errorf("row %d: %v; the documentation says %v", i+1, got, row.Issued)
		}
	}
}

func TestPoliciesOfGuests(t *testing.T) {
	w := newWorld(t, contoso())
	if err := w.ChangeUser("donald", func(u *User) { u.Home = newGUID() }); err != nil {
		t.Fatal(err)
	}
	w.policy(Policy{Name: "guests", Users: []string{Guests}, Apps: []string{All}, Controls: []string{ControlBlock}})
	if _, err := w.arrive(Person{User: "donald"}); err == nil || !strings.Contains(err.Error(), "AADSTS53003") {
		t.Errorf("a guest: %v", err)
	}
}

func TestPoliciesThroughGraph(t *testing.T) {
	org := withRegistrar()
	org.Apps[len(org.Apps)-1].GraphRoles = append(org.Apps[len(org.Apps)-1].GraphRoles, policyRead, policyWrite)
	w := newWorld(t, org)
	const at = "identity/conditionalAccess/policies"
	made := w.must(registrar, "POST", at, map[string]any{"displayName": "Contexts", "state": "enabled",
		"conditions":    map[string]any{"clientAppTypes": []string{"all"}, "users": map[string]any{"includeUsers": []string{"All"}}, "applications": map[string]any{"includeAuthenticationContextClassReferences": []string{"c2"}}},
		"grantControls": map[string]any{"operator": "OR", "builtInControls": []string{"mfa"}}})
	contexts := w.must(registrar, "GET", "identity/conditionalAccess/authenticationContextClassReferences?$filter="+url.QueryEscape("isAvailable eq true"), nil)
	if got := ids(t, contexts); !slices.Equal(got, []string{"c1", "c2"}) {
		t.Errorf("contexts: %v", got)
	}
	token, err := w.arrive(Person{User: "ada"}, oauth2.SetAuthURLParam("claims", `{"id_token":{"acrs":{"essential":true,"value":"c2"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := claims(t, token.Extra("id_token").(string))["acrs"]; !sameSet(got, "c2") {
		t.Errorf("acrs: %v", got)
	}
	w.must(registrar, "PATCH", at+"/"+made["id"].(string), map[string]any{"state": "disabled"})
	if got := w.must(registrar, "GET", at+"/"+made["id"].(string), nil); got["state"] != "disabled" || got["displayName"] != "Contexts" {
		t.Errorf("changed: %v", got)
	}
	if status, _, _ := w.call(registrar, "POST", at, map[string]any{"displayName": "x", "state": "enabled", "conditions": map[string]any{"locations": map[string]any{}},
		"grantControls": map[string]any{"operator": "OR", "builtInControls": []string{"mfa"}}}); status != http.StatusBadRequest {
		t.Errorf("what is not simulated: %d", status)
	}
	w.must(registrar, "DELETE", at+"/"+made["id"].(string), nil)
	if status, _, _ := w.call("Lanyard", "GET", at, nil); status != http.StatusForbidden {
		t.Errorf("without the permission: %d", status)
	}
}

// The log says what a sign-in came to, and its ID is the uti of the tokens that it gave.
func TestSignInLogNamesTokensAndPolicies(t *testing.T) {
	w := newWorld(t, contoso())
	w.policy(Policy{Name: "no mallory", Users: []string{MalloryID}, Apps: []string{All}, Controls: []string{ControlBlock}})
	w.policy(Policy{Name: "factor", Users: []string{All}, ExcludeUsers: []string{MalloryID}, Apps: []string{LanyardAppID}, Controls: []string{ControlMFA}})
	correlation := newGUID()
	token, err := w.arrive(Person{User: "ada"}, oauth2.SetAuthURLParam("client-request-id", correlation))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.arrive(Person{User: "mallory"}); err == nil {
		t.Fatal("mallory is in")
	}
	list := values(t, w.must(directoryTools, "GET", "auditLogs/signIns", nil))
	if len(list) != 2 {
		t.Fatalf("%d entries: %v", len(list), list)
	}
	first, second := list[1], list[0]
	if uti := claims(t, token.Extra("id_token").(string))["uti"]; tokenID(first["id"].(string)) != uti || claims(t, token.AccessToken)["uti"] != uti {
		t.Errorf("request %v, uti %v", first["id"], uti)
	}
	policies, _ := first["appliedConditionalAccessPolicies"].([]any)
	if first["correlationId"] != correlation || first["conditionalAccessStatus"] != "success" || len(policies) != 1 || policies[0].(map[string]any)["displayName"] != "factor" {
		t.Errorf("the first: %v", first)
	}
	if second["status"].(map[string]any)["errorCode"] != 53003.0 || second["conditionalAccessStatus"] != "failure" || second["userId"] != MalloryID {
		t.Errorf("the second: %v", second)
	}
	for range 4 {
		w.must(directoryTools, "GET", "auditLogs/signIns", nil)
	}
	status, _, header := w.call(directoryTools, "GET", "auditLogs/signIns", nil)
	if status != http.StatusTooManyRequests || header.Get("Retry-After") != "10" {
		t.Errorf("a sixth request: %d %q", status, header.Get("Retry-After"))
	}
	w.clock.Add(10 * time.Second)
	if err := w.SetFaults(Faults{SignInLogLagSeconds: 120}); err != nil {
		t.Fatal(err)
	}
	if list := values(t, w.must(directoryTools, "GET", "auditLogs/signIns", nil)); len(list) != 0 {
		t.Errorf("the log is not late: %v", list)
	}
}

func TestConsent(t *testing.T) {
	w := newWorld(t, withRegistrar())
	w.registered(map[string]any{"displayName": "Asks", "signInAudience": "AzureADMyOrg", "web": map[string]any{"redirectUris": []string{callback}},
		"requiredResourceAccess": []any{map[string]any{"resourceAppId": GraphAppID, "resourceAccess": []any{
			map[string]any{"id": "df021288-bdef-4463-88db-98f22de89214", "type": "Role"}, map[string]any{"id": "a154be20-db9c-4678-8ab7-66f6cc099a59", "type": "Scope"}}}}})
	app, _ := w.App("Asks")
	ask := func(p Person, scope, prompt string) (*url.URL, error) {
		t.Helper()
		config := w.lanyard()
		config.ClientID, config.Scopes = app.ClientID, []string{scope}
		p.Password = password(p.User)
		return SignInAs(t.Context(), newBrowser(), config.AuthCodeURL("st", oauth2.SetAuthURLParam("prompt", prompt)), p)
	}
	back, err := ask(Person{User: "ada", Denies: true}, "openid profile", "login")
	if back == nil || back.Query().Get("error") != "access_denied" || !strings.Contains(back.Query().Get("error_description"), "AADSTS65004") {
		t.Errorf("declined: %v %v", back, err)
	}
	if back, err = ask(Person{User: "ada"}, "openid profile", ""); err != nil || back.Query().Get("code") == "" {
		t.Errorf("consented: %v %v", back, err)
	}
	if _, err = ask(Person{User: "ada"}, "openid User.Read.All", ""); err == nil || !strings.Contains(err.Error(), "AADSTS90094") {
		t.Errorf("what takes an administrator: %v", err)
	}
	consent := w.url + "/" + w.TenantID() + "/adminconsent?" + url.Values{"client_id": {app.ClientID}, "redirect_uri": {callback}, "state": {"s"}}.Encode()
	if _, err := SignIn(t.Context(), newBrowser(), consent, "ada", password("ada")); err == nil || !strings.Contains(err.Error(), "AADSTS90094") {
		t.Errorf("not an administrator: %v", err)
	}
	if err := w.ChangeUser("ken", func(u *User) { u.Roles = []string{CloudAppAdministrator} }); err != nil {
		t.Fatal(err)
	}
	if _, err := SignIn(t.Context(), newBrowser(), consent, "ken", password("ken")); err == nil || !strings.Contains(err.Error(), "AADSTS90094") {
		t.Errorf("an administrator of apps, for an application permission of Graph: %v", err)
	}
	back, err = SignIn(t.Context(), newBrowser(), consent, "margaret", password("margaret"))
	if err != nil || back.Query().Get("admin_consent") != "True" || back.Query().Get("tenant") != w.TenantID() || back.Query().Get("state") != "s" {
		t.Fatalf("an administrator: %v %v", back, err)
	}
	if back, err = ask(Person{User: "grace", Denies: true}, "openid User.Read.All", ""); err == nil && back.Query().Get("code") == "" {
		t.Errorf("after the administrator's consent: %v %v", back, err)
	}
	secret, err := w.AddSecret(app.ClientID, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, body := w.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {secret.Value}, "scope": {"https://graph.microsoft.com/.default"}})
	if roles := claims(t, body["access_token"].(string))["roles"]; !sameSet(roles, "User.Read.All") {
		t.Errorf("roles %v", roles)
	}
}

// What an administrator's own token may do at Graph is what their directory roles allow.
func TestDelegatedAdministration(t *testing.T) {
	w := newWorld(t, contoso())
	token := func(user string) string {
		t.Helper()
		config := oauth2.Config{ClientID: AzureCLIAppID, RedirectURL: "http://localhost:49152", Endpoint: w.lanyard().Endpoint, Scopes: []string{"https://graph.microsoft.com/.default"}}
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		back, err := SignIn(t.Context(), newBrowser(), config.AuthCodeURL("st"), user, password(user))
		if err != nil {
			t.Fatal(err)
		}
		got, err := config.Exchange(w.ctx(), back.Query().Get("code"))
		if err != nil {
			t.Fatal(err)
		}
		return got.AccessToken
	}
	status := func(bearer, method, path, body string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, w.GraphURL()+"/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		answer, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	margaret, ada := token("margaret"), token("ada")
	for _, c := range []struct {
		bearer, method, path, body string
		want                       int
	}{
		{margaret, "POST", "applications", `{"displayName":"x"}`, 201},
		{ada, "POST", "applications", `{"displayName":"x"}`, 403},
		{ada, "GET", "applications", "", 200},
		{ada, "GET", "me", "", 200},
		{margaret, "GET", "organization", "", 200},
		{margaret, "GET", "identity/conditionalAccess/policies", "", 200},
		{ada, "GET", "identity/conditionalAccess/policies", "", 403},
		{margaret, "GET", "auditLogs/signIns", "", 200},
	} {
		if got := status(c.bearer, c.method, c.path, c.body); got != c.want {
			t.Errorf("%s %s: %d, not %d", c.method, c.path, got, c.want)
		}
	}
}

// Any refusal can be had, as JSON and as a page with the way back.
func TestPlantedRefusals(t *testing.T) {
	w := newWorld(t, contoso())
	token := w.signIn("ada")
	plant := func(f Fault) {
		t.Helper()
		f.Kind = FaultRefuse
		if err := w.SetFaults(Faults{Requests: []Fault{f}}); err != nil {
			t.Fatal(err)
		}
	}
	for code, sub := range map[int]string{50079: "basic_action", 530032: "message_only", 65001: "consent_required", 50053: "", 700082: "token_expired", 7000222: "", 7000112: ""} {
		plant(Fault{Code: code, Count: 1})
		if got, gotSub, _ := w.refresh(token); got != code || gotSub != sub {
			t.Errorf("%d at refresh: %d %s", code, got, gotSub)
		}
		if got, _, _ := w.refresh(token); got != 0 {
			t.Errorf("%d a second time: %d", code, got)
		}
		plant(Fault{Code: code, Path: "/authorize"})
		if _, err := w.arrive(Person{User: "ada"}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("AADSTS%d: ", code)) {
			t.Errorf("%d at sign-in: %v", code, err)
		}
	}
	answer, err := w.http.Get(w.lanyard().AuthCodeURL("st"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	back := regexp.MustCompile(`id="back" href="([^"]*)"`).FindSubmatch(page)
	if err != nil || back == nil {
		t.Fatalf("no way back: %v", err)
	}
	u, err := url.Parse(html.UnescapeString(string(back[1])))
	if err != nil || u.Query().Get("state") != "st" || u.Query().Get("error") == "" || !strings.Contains(u.Query().Get("error_description"), "Correlation ID: ") {
		t.Errorf("the way back: %v %v", u, err)
	}
	if err := w.SetFaults(Faults{Requests: []Fault{{Kind: FaultRefuse, Code: 1}}}); err == nil {
		t.Error("a number that is not known was taken")
	}
}
