package entrasim

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	signInsKept = 5000
	signInsPage = 1000

	fromBrowser = "Browser"
	fromDevice  = "Mobile Apps and Desktop clients"

	logRequests = 5 // in logPeriod, by one app
	logPeriod   = 10 * time.Second
)

// signInLog is what /auditLogs/signIns lists, the oldest first.
type signInLog struct {
	entries []loggedSignIn
	asked   map[string][]time.Time // by client ID: requests of the last ten seconds
}

type loggedSignIn struct {
	ID, UserID, Name, UPN    string
	App                      App
	Resource                 App
	IP, Correlation, Browser string
	Device, Client           string
	At                       time.Time
	Code                     int // AADSTS; 0: success
	Failure                  string
	Policies                 []applied
}

// tokenID is the uti of the tokens that a request gave: the bytes of its ID in base64url, in the order in which .NET
// writes a GUID.
func tokenID(request string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(request, "-", ""))
	if err != nil || len(b) != 16 {
		return randomID(16)
	}
	slices.Reverse(b[:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return base64.RawURLEncoding.EncodeToString(b)
}

// logOutcome notes a sign-in whose person is known, with what the policies said to it, and returns the request's ID.
// client is the kind of app that it was made from. t.mu is held.
func (t *Tenant) logOutcome(r *http.Request, req authRequest, s signIn, failed *stsError, client string) string {
	scopes, _ := t.readScopes(req.Scope, req.Client, s.UserID) // read before without an error
	e := t.logSignIn(r, req.Client, t.dir.user(s.UserID), "", failed)
	e.Policies = t.apply(s, wanted(req.Client, scopes, req.contexts()))
	e.Device, e.Client = s.Device, client
	if scopes.Chosen {
		e.Resource = scopes.Resource
	}
	return e.ID
}

// logSignIn notes an interactive sign-in, or one that was refused. t.mu is held.
func (t *Tenant) logSignIn(r *http.Request, app App, user *userRow, name string, failed *stsError) *loggedSignIn {
	e := loggedSignIn{ID: newGUID(), UPN: name, App: app, Resource: t.apps[GraphAppID], IP: hostOf(r.RemoteAddr), Correlation: t.newTrace(r).Correlation,
		Browser: r.UserAgent(), At: t.now().UTC()}
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
	return &l.entries[len(l.entries)-1]
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
	policies := []entity{}
	for _, p := range e.Policies {
		policies = append(policies, p.entity())
	}
	return entity{
		"id": e.ID, "createdDateTime": e.At.Format("2006-01-02T15:04:05.9999999Z"), "userDisplayName": e.Name, "userPrincipalName": e.UPN, "userId": e.UserID,
		"appId": e.App.ClientID, "appDisplayName": e.App.Name, "ipAddress": e.IP, "clientAppUsed": or(e.Client, fromBrowser), "correlationId": e.Correlation,
		"conditionalAccessStatus": e.conditionalAccess(), "isInteractive": true, "riskDetail": "none", "riskLevelAggregated": "none", "riskLevelDuringSignIn": "none",
		"riskState": "none", "riskEventTypes": []string{}, "resourceDisplayName": e.Resource.Name, "resourceId": e.Resource.ClientID,
		"status":                           entity{"errorCode": e.Code, "failureReason": failure, "additionalDetails": nil},
		"deviceDetail":                     entity{"deviceId": "", "displayName": nil, "operatingSystem": "", "browser": e.Browser, "isCompliant": yes(e.Device == DeviceCompliant), "isManaged": yes(e.Device != ""), "trustType": nil},
		"location":                         entity{"city": "", "state": "", "countryOrRegion": "", "geoCoordinates": entity{"altitude": nil, "latitude": nil, "longitude": nil}},
		"appliedConditionalAccessPolicies": policies,
	}
}

// conditionalAccess is what the policies came to, all together.
func (e loggedSignIn) conditionalAccess() string {
	status := "notApplied"
	for _, p := range e.Policies {
		switch {
		case p.enforced() && p.Unmet != "":
			return "failure"
		case p.enforced():
			status = "success"
		}
	}
	return status
}

// yes is true, or null.
func yes(b bool) any {
	if b {
		return true
	}
	return nil
}

// askLog counts a request for the log, and says how many seconds to wait when there were too many.
//
// https://learn.microsoft.com/graph/throttling-limits#identity-and-access-reports-service-limits
func (t *Tenant) askLog(clientID string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if t.signIns.asked == nil {
		t.signIns.asked = map[string][]time.Time{}
	}
	recent := slices.DeleteFunc(t.signIns.asked[clientID], func(at time.Time) bool { return now.Sub(at) >= logPeriod })
	if len(recent) >= logRequests {
		t.signIns.asked[clientID] = recent
		return int(math.Ceil((logPeriod - now.Sub(recent[0])).Seconds()))
	}
	t.signIns.asked[clientID] = append(recent, now)
	return 0
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
	if wait := t.askLog(r.ClientID); wait > 0 {
		return graphAnswer{}, &graphError{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Too many requests: the log takes 5 in 10 seconds.", RetryAfter: wait}
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
	entries, visible := slices.Clone(t.signIns.entries), t.now().Add(-t.faults.signInLog())
	t.mu.Unlock()
	entries = slices.DeleteFunc(entries, func(e loggedSignIn) bool { return e.At.After(visible) })
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
