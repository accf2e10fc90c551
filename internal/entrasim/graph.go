package entrasim

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

const graphPrefix = "/v1.0/"

// caller is who presents a token at Graph: an app by itself, or an app for a user.
type caller struct {
	ClientID string
	ObjectID string   // of the user, or of the app's service principal
	UserID   string   // empty for an app by itself
	Roles    []string // application permissions, or what the user's directory roles leave of the delegated ones
	Scopes   []string // delegated permissions
	// AdminRoles are the user's directory roles.
	AdminRoles []string
}

// caller checks the bearer token of a Graph request: ours, for Graph, and valid now.
func (t *Tenant) caller(r *http.Request) (caller, *graphError) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") || token == "" {
		return caller{}, unauthenticated("Access token is empty.")
	}
	payload, err := t.verify(token)
	if err != nil {
		return caller{}, unauthenticated("Access token validation failure. Invalid signature.")
	}
	var c struct {
		Audience string   `json:"aud"`
		Issuer   string   `json:"iss"`
		Expires  int64    `json:"exp"`
		Issued   int64    `json:"iat"`
		Able     []string `json:"xms_cc"`
		Client   string   `json:"azp"`
		Object   string   `json:"oid"`
		Scopes   string   `json:"scp"`
		Roles    []string `json:"roles"`
	}
	if json.Unmarshal(payload, &c) != nil || c.Issuer != t.Issuer() || c.Client == "" {
		return caller{}, unauthenticated("Access token validation failure.")
	}
	if c.Audience != GraphAppID {
		return caller{}, unauthenticated("Access token validation failure. Invalid audience.")
	}
	if t.now().Unix() >= c.Expires {
		return caller{}, unauthenticated("Lifetime validation failed, the token is expired.")
	}
	who := caller{ClientID: c.Client, ObjectID: c.Object, Roles: c.Roles, Scopes: strings.Fields(c.Scopes)}
	if c.Scopes != "" {
		t.mu.Lock()
		defer t.mu.Unlock()
		if refused := t.evaluate(c.Object, c.Issued, c.Able); refused != nil {
			return caller{}, refused
		}
		who.UserID, who.Roles = c.Object, nil
		if user := t.dir.user(c.Object); user != nil && user.AccountEnabled {
			who.AdminRoles, who.Roles = user.Roles, delegated(who.Scopes, user.Roles)
		}
	}
	return who, nil
}

// may reports whether the caller has one of the application permissions.
func (c caller) may(permissions ...string) bool {
	return slices.ContainsFunc(permissions, func(p string) bool { return slices.Contains(c.Roles, p) })
}

// graphRequest is one request to Graph, with its path cut into segments after /v1.0/.
type graphRequest struct {
	*http.Request
	caller
	path []string
}

// graphAnswer is what a handler gives back: an entity, a collection, or nothing (204).
type graphAnswer struct {
	Status   int // 0: 200, or 204 when Body is nil
	Body     any
	Text     string // instead of Body
	Location string
}

func (t *Tenant) serveGraph(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Request-Id", newGUID())
	w.Header().Set("Cache-Control", "no-store, no-cache")
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	who, refused := t.caller(r)
	if refused != nil {
		t.writeGraphError(w, r, refused)
		return
	}
	if !isControl(r) {
		if err := t.afford(w, r, who.ClientID); err != nil {
			t.writeGraphError(w, r, err)
			return
		}
	}
	answer, err := t.graph(graphRequest{Request: r, caller: who, path: strings.Split(strings.TrimPrefix(r.URL.Path, graphPrefix), "/")})
	if err != nil {
		t.writeGraphError(w, r, err)
		return
	}
	if answer.Location != "" {
		w.Header().Set("Location", answer.Location)
	}
	if answer.Text != "" {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, answer.Text)
		return
	}
	if answer.Body == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if answer.Status == 0 {
		answer.Status = http.StatusOK
	}
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	w.Header().Set("OData-Version", "4.0")
	writeJSON(w, answer.Status, answer.Body)
}

// graph finds the resource. A delegated token may read its own user, and what the user's directory roles allow besides.
func (t *Tenant) graph(r graphRequest) (graphAnswer, error) {
	if r.path[0] == "$batch" {
		return t.batch(r)
	}
	if r.UserID != "" {
		switch {
		case !slices.Contains(r.Scopes, "User.Read"): // then what is asked for takes more
		case r.path[0] == "me":
			return t.graphOfUser(r, r.UserID, r.path[1:])
		case len(r.path) > 1 && r.path[0] == "users" && r.path[1] == r.UserID:
			return t.graphOfUser(r, r.UserID, r.path[2:])
		}
		if len(r.Roles) == 0 {
			return graphAnswer{}, forbidden()
		}
	}
	collection, key := splitKey(r.path[0])
	switch {
	case collection == "applications":
		return t.graphApplications(r, key)
	case collection == "applicationTemplates":
		return t.graphTemplates(r)
	case collection == "oauth2PermissionGrants":
		return t.graphConsents(r)
	case collection == "identity":
		return t.graphConditionalAccess(r)
	case collection == "organization":
		return t.graphOrganization(r)
	case collection == "users":
		return t.graphUsers(r)
	case collection == "groups":
		return t.graphGroups(r)
	case collection == "servicePrincipals":
		return t.graphServicePrincipals(r, key)
	case collection == "subscriptions":
		return t.graphSubscriptions(r)
	case collection == "directoryObjects":
		return t.graphObjects(r)
	case collection == "directory":
		return t.graphDeletedItems(r)
	case collection == "auditLogs":
		return t.graphAuditLogs(r)
	case collection == "faults":
		return t.graphFaults(r)
	case collection == "me":
		return graphAnswer{}, badRequest("/me request is only valid with delegated authentication flow.")
	}
	return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + r.path[0] + "'."}
}

// splitKey cuts "servicePrincipals(appId='…')" into the collection and what is in the parentheses.
func splitKey(segment string) (collection, key string) {
	collection, key, found := strings.Cut(segment, "(")
	if !found {
		return segment, ""
	}
	return collection, strings.TrimSuffix(key, ")")
}

// body decodes the request's JSON object.
func (r graphRequest) body(v any) error {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		return badRequest("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return nil
}

func (r graphRequest) mayWrite() error {
	if !r.may(DirectoryWrite) {
		return forbidden()
	}
	return nil
}
