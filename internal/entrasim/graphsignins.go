package entrasim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	signInsKept = 5000
	signInsPage = 1000
)

// signInLog is what /auditLogs/signIns lists, the oldest first.
type signInLog struct{ entries []loggedSignIn }

type loggedSignIn struct {
	ID, UserID, Name, UPN    string
	App                      App
	IP, Correlation, Browser string
	At                       time.Time
	Code                     int // AADSTS; 0: success
	Failure                  string
}

// logSignIn notes an interactive sign-in, or one that was refused. t.mu is held.
func (t *Tenant) logSignIn(r *http.Request, app App, user *userRow, name string, failed *stsError) {
	e := loggedSignIn{ID: newGUID(), UPN: name, App: app, IP: hostOf(r.RemoteAddr), Correlation: t.newTrace(r).Correlation, Browser: r.UserAgent(), At: t.now().UTC()}
	if user != nil {
		e.UserID, e.Name, e.UPN = user.ID, user.DisplayName, user.UserPrincipalName
	}
	if failed != nil {
		e.Code, e.Failure = failed.Code, failed.Message
	}
	l := &t.signIns
	if l.entries = append(l.entries, e); len(l.entries) > signInsKept {
		l.entries = slices.Clone(l.entries[signInsKept/10:])
	}
}

func hostOf(addr string) string {
	host := addr[:max(0, strings.LastIndexByte(addr, ':'))]
	return strings.Trim(host, "[]")
}

func (e loggedSignIn) entity() entity {
	failure := any(nil)
	if e.Code != 0 {
		failure = e.Failure
	}
	return entity{
		"id": e.ID, "createdDateTime": e.At.Format("2006-01-02T15:04:05.9999999Z"), "userDisplayName": e.Name, "userPrincipalName": e.UPN, "userId": e.UserID,
		"appId": e.App.ClientID, "appDisplayName": e.App.Name, "ipAddress": e.IP, "clientAppUsed": "Browser", "correlationId": e.Correlation,
		"conditionalAccessStatus": "notApplied", "isInteractive": true, "riskDetail": "none", "riskLevelAggregated": "none", "riskLevelDuringSignIn": "none",
		"riskState": "none", "riskEventTypes": []string{}, "resourceDisplayName": "Microsoft Graph", "resourceId": GraphAppID,
		"status":                           entity{"errorCode": e.Code, "failureReason": failure, "additionalDetails": nil},
		"deviceDetail":                     entity{"deviceId": "", "displayName": nil, "operatingSystem": "", "browser": e.Browser, "isCompliant": nil, "isManaged": nil, "trustType": nil},
		"location":                         entity{"city": "", "state": "", "countryOrRegion": "", "geoCoordinates": entity{"altitude": nil, "latitude": nil, "longitude": nil}},
		"appliedConditionalAccessPolicies": []entity{},
	}
}

// graphAuditLogs answers /auditLogs/signIns: the newest first, a thousand on a page.
func (t *Tenant) graphAuditLogs(r graphRequest) (graphAnswer, error) {
	switch {
	case strings.Join(r.path[1:], "/") != "signIns":
		return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + strings.Join(r.path[1:], "/") + "'."}
	case r.Method != http.MethodGet:
		return graphAnswer{}, notAllowed(r.Method)
	case !r.may("AuditLog.Read.All") || !r.may("Directory.Read.All", DirectoryWrite):
		return graphAnswer{}, forbidden()
	}
	query := r.URL.Query()
	size, from := signInsPage, 0
	if n, err := strconv.Atoi(query.Get("$top")); query.Has("$top") && (err != nil || n < 1 || n > signInsPage) {
		return graphAnswer{}, badRequest("The page size of sign-ins is between 1 and 1000.")
	} else if query.Has("$top") {
		size = n
	}
	if after := query.Get("$skiptoken"); after != "" {
		n, err := strconv.Atoi(after)
		if err != nil || n < 0 {
			return graphAnswer{}, badRequest("The skip token is invalid.")
		}
		from = n
	}
	keep, err := filterBy(query.Get("$filter"))
	if err != nil {
		return graphAnswer{}, err
	}
	t.mu.Lock()
	entries := slices.Clone(t.signIns.entries)
	t.mu.Unlock()
	slices.Reverse(entries)
	var all []entity
	for _, e := range entries {
		if one := e.entity(); keep == nil || keep(one) {
			all = append(all, one)
		}
	}
	from = min(from, len(all))
	end, next := min(from+size, len(all)), ""
	if end < len(all) {
		query.Set("$skiptoken", strconv.Itoa(end))
		next = t.url + r.URL.Path + "?" + oDataQuery(query)
	}
	return t.collection(t.context("auditLogs/signIns", nil), all[from:end], next), nil
}
