package entrasim

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSignInLogIsAsDocumented(t *testing.T) {
	w := newWorld(t, contoso())
	w.signIn("ada")
	w.signIn("grace")
	if _, err := SignIn(t.Context(), w.http, w.lanyard().AuthCodeURL("st"), "linus", "wrong"); err == nil {
		t.Fatal("a wrong password was taken")
	}
	page := w.must(directoryTools, "GET", "auditLogs/signIns?$top=2", nil)
	same(t, "the log", fixture[map[string]any](t, "graph-auditlogs-signins.json"), page, map[string]string{
		"/value[]/location/geoCoordinates/latitude is not a number":           "nobody knows where this machine is",
		"/value[]/location/geoCoordinates/longitude is not a number":          "nor this",
		"/value[]/appliedConditionalAccessPolicies[] is not an object":        "this tenant has no such policies",
		"/value[]/appliedConditionalAccessPolicies[]/id":                      "this tenant has no such policies",
		"/value[]/appliedConditionalAccessPolicies[]/displayName":             "this tenant has no such policies",
		"/value[]/appliedConditionalAccessPolicies[]/enforcedGrantControls":   "this tenant has no such policies",
		"/value[]/appliedConditionalAccessPolicies[]/enforcedSessionControls": "this tenant has no such policies",
		"/value[]/appliedConditionalAccessPolicies[]/result":                  "this tenant has no such policies",
	})
	list := values(t, page)
	if len(list) != 2 || list[0]["userPrincipalName"] != "linus@contoso.example" || list[0]["status"].(map[string]any)["errorCode"] != 50126.0 || list[1]["userId"] != GraceID {
		t.Errorf("the newest first: %v", list)
	}
	rest := values(t, w.must(directoryTools, "GET", page["@odata.nextLink"].(string), nil))
	if len(rest) != 1 || rest[0]["userId"] != AdaID || rest[0]["status"].(map[string]any)["errorCode"] != 0.0 {
		t.Errorf("the next page: %v", rest)
	}
	hers := values(t, w.must(directoryTools, "GET", "auditLogs/signIns?$filter="+url.QueryEscape("userId eq '"+AdaID+"'"), nil))
	if len(hers) != 1 {
		t.Errorf("filtered: %v", hers)
	}
	for filter, want := range map[string]int{"createdDateTime ge 2020-01-01T00:00:00Z and userId eq '" + AdaID + "'": 1, "createdDateTime le 2020-01-01T00:00:00Z": 0} {
		if found := values(t, w.must(directoryTools, "GET", "auditLogs/signIns?$filter="+url.QueryEscape(filter), nil)); len(found) != want {
			t.Errorf("%s: %v", filter, found)
		}
	}
	if status, _, _ := w.call("Contoso Git", "GET", "auditLogs/signIns", nil); status != http.StatusForbidden {
		t.Errorf("without the permission: %d", status)
	}
}

func TestServicePrincipalsAreAsDocumented(t *testing.T) {
	w := newWorld(t, contoso())
	sample := fixture[map[string]any](t, "graph-serviceprincipals-delta.json")
	delete(sample, "@odata.nextLink") // there are few; they stand on one page
	app, _ := w.App("Lanyard")
	excused := map[string]string{"/value[]/addIns[] is not an object": "there are no add-ins"}
	for _, name := range []string{"id", "type", "properties"} {
		excused["/value[]/addIns[]/"+name] = "there are no add-ins"
	}
	same(t, "delta", sample, w.must("Lanyard", "GET", "servicePrincipals/delta", nil), excused)
	made := fixture[exchange](t, "graph-serviceprincipal-create.json")
	made.Response.Body["appOwnerOrganizationId"] = nil
	same(t, "a service principal", made.Response.Body, w.must("Lanyard", "GET", "servicePrincipals/"+app.PrincipalID, nil), map[string]string{
		"/appOwnerOrganizationId":       "given by the delta only",
		"/publisherName":                "no client reads it",
		"/replyUrls[] is not an object": "the sample has none",
	})
	if required := w.must("Lanyard", "GET", "servicePrincipals(appId='"+app.ClientID+"')?$select=appRoles", nil); len(required["appRoles"].([]any)) != 1 {
		t.Errorf("app roles: %v", required)
	}
	w.must(directoryTools, "PATCH", "servicePrincipals/"+app.PrincipalID, map[string]any{"appRoleAssignmentRequired": true})
	if e := w.must("Lanyard", "GET", "servicePrincipals/"+app.PrincipalID, nil); e["appRoleAssignmentRequired"] != true {
		t.Errorf("changed: %v", e)
	}
}

func TestErrorsAreAsReported(t *testing.T) {
	w := newWorld(t, contoso())
	_, link := w.round("users/delta")
	for i, e := range fixture[[]struct {
		Status int
		Body   map[string]any
	}](t, "graph-errors.json") {
		path := "users?$select=skills"
		if i < 2 {
			path = link
			w.ExpireDeltaTokens()
		}
		status, ours, _ := w.call("Lanyard", "GET", path, nil)
		if e.Status != 0 && status != e.Status {
			t.Errorf("%d: %d", e.Status, status)
		}
		same(t, fmt.Sprintf("error %d", i), e.Body, ours, nil)
		if want := e.Body["error"].(map[string]any)["code"]; ours["error"].(map[string]any)["code"] != want {
			t.Errorf("the code is %v, not %v", ours["error"], want)
		}
	}
}

func TestMembershipLookupsWithTheIndex(t *testing.T) {
	w := newWorld(t, contoso())
	for _, e := range fixture[[]struct {
		Request struct {
			URL     string
			Headers map[string]string
		}
		Response struct {
			Body map[string]any
			Text string `json:"body_text"`
		}
	}](t, "graph-membership-lookups.json") {
		switch {
		case strings.HasSuffix(e.Request.URL, "$count"):
			req, _ := http.NewRequestWithContext(t.Context(), "GET", w.GraphURL()+"/users/"+AdaID+"/transitiveMemberOf/$count", nil)
			req.Header.Set("Authorization", "Bearer "+w.graphToken("Lanyard"))
			req.Header.Set("ConsistencyLevel", e.Request.Headers["ConsistencyLevel"])
			answer, err := w.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("the count: %s %s", answer.Status, answer.Header.Get("Content-Type"))
			}
		case strings.Contains(e.Request.URL, "$search"):
			query := "?$count=true&$select=displayName,id&$search=" + url.QueryEscape(`"displayName:engineer"`)
			path := "users/" + AdaID + "/transitiveMemberOf/microsoft.graph.group" + query
			ours := w.must("Lanyard", "GET", path, nil, "ConsistencyLevel", "eventual")
			same(t, "the search", e.Response.Body, ours, nil)
			if ours["@odata.count"] != 1.0 {
				t.Errorf("found %v", ours)
			}
			if status, _, _ := w.call("Lanyard", "GET", path, nil); status != http.StatusBadRequest {
				t.Errorf("without the header: %d", status)
			}
		}
	}
}

func TestSubscriptionsAreAsDocumented(t *testing.T) {
	w, r := newWorld(t, contoso()), newReceiver(t)
	sub := ""
	for _, c := range fixture[[]exchange](t, "graph-subscription-create.json") {
		body, _ := c.Request.Body.(map[string]any)
		if body["includeResourceData"] == true {
			body["resource"], body["notificationUrl"] = "users", r.URL
			if status, _, _ := w.call("Lanyard", "POST", "subscriptions", body); status != http.StatusBadRequest {
				t.Errorf("%s: users and groups have no rich notifications: %d", c.Case, status)
			}
			continue
		}
		if body != nil {
			body["expirationDateTime"] = w.clock.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.0000000Z")
		}
		path := "subscriptions"
		if c.Request.Method == "POST" && body != nil {
			body["resource"], body["notificationUrl"] = "users", r.URL
			if body["lifecycleNotificationUrl"] != nil {
				body["lifecycleNotificationUrl"] = r.URL
			}
		} else {
			path += "/" + sub + strings.TrimPrefix(c.Request.URL, "https://graph.microsoft.com/v1.0/subscriptions/{id}")
		}
		status, ours, _ := w.call("Lanyard", c.Request.Method, path, c.Request.Body)
		if c.Response.Status != 0 && status != c.Response.Status || status/100 != 2 {
			t.Errorf("%s: %d %v", c.Case, status, ours)
		}
		same(t, c.Case, c.Response.Body, ours, nil)
		for name, sent := range body {
			if ours[name] != sent && name != "expirationDateTime" && name != "lifecycleNotificationUrl" {
				t.Errorf("%s: %s is %v, not %v", c.Case, name, ours[name], sent)
			}
		}
		if id, ok := ours["id"].(string); ok {
			sub = id
		}
	}
}
