package entrasim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// deltaLife is how long Graph keeps a delta token of a directory object.
const deltaLife = 7 * 24 * time.Hour

// deltaToken is the state of a delta query: it is both the $deltatoken between rounds and the
// $skiptoken between the pages of one. Clients take it as it is.
type deltaToken struct {
	Generation string   `json:"g"`
	Collection string   `json:"c"` // users, groups
	Select     []string `json:"s,omitempty"`
	Only       []string `json:"o,omitempty"` // objects that are tracked; none: all
	Since      int64    `json:"f,omitempty"` // number up to which the client knows everything; 0: nothing
	Began      int64    `json:"n,omitempty"` // number at which this round began
	At         string   `json:"i,omitempty"` // object at which the next page begins
	Member     string   `json:"m,omitempty"` // the last member of At that was given
	Issued     int64    `json:"t"`           // Unix seconds
}

func (d deltaToken) String() string {
	data, err := json.Marshal(d)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// deltaStart reads where a delta request goes on. One without a token, or with an empty one, starts
// from nothing; with $deltatoken=latest it starts now. A token that is unknown or too old is answered
// with 410 and where to start anew. t.mu is held.
func (t *Tenant) deltaStart(r graphRequest, collection string) (deltaToken, error) {
	query := r.URL.Query()
	kind := strings.TrimSuffix(collection, "s")
	example := userEntity(&userRow{})
	if kind == "group" {
		example = groupEntity(&groupRow{})
		example["members"] = nil
	} else if kind == "servicePrincipal" {
		example = t.principalEntity(App{})
	}
	for _, unsupported := range []string{"$top", "$orderby", "$search"} {
		if query.Has(unsupported) {
			return deltaToken{}, badRequest("The query option '" + unsupported + "' is not supported for the change tracking of this resource.")
		}
	}
	given := query.Get("$skiptoken")
	if given == "" {
		given = query.Get("$deltatoken")
	}
	if given == "" || given == "latest" {
		selected, err := selection(query, kind, example)
		if err != nil {
			return deltaToken{}, err
		}
		only, err := tracked(query)
		token := deltaToken{Only: only, Generation: t.dir.Generation, Collection: collection, Select: selected, Began: t.horizon()}
		if len(selected) > 0 && query.Get("$expand") == "members" {
			token.Select = append(token.Select, "members")
		}
		if given == "latest" {
			token.Since = t.dir.Seq
		}
		return token, err
	}
	var token deltaToken
	data, err := base64.RawURLEncoding.DecodeString(given)
	if err != nil || json.Unmarshal(data, &token) != nil || token.Generation != t.dir.Generation || token.Collection != collection ||
		t.now().Unix()-token.Issued > int64(deltaLife/time.Second) || token.Since > t.dir.Seq {
		return deltaToken{}, &graphError{
			Status: http.StatusGone, Code: "SyncStateNotFound", Location: t.restart(collection, token.Select),
			Message: "The sync state generation is not found; generation=" + strconv.FormatInt(token.Since, 10) + ";[highest=" + strconv.FormatInt(t.dir.Seq, 10) + "].",
		}
	}
	if query.Has("$deltatoken") {
		token.Began = max(token.Since, t.horizon())
	}
	return token, nil
}

// restart is the link with which a client begins again after 410.
func (t *Tenant) restart(collection string, selected []string) string {
	link := t.graphURL(collection+"/delta") + "?$deltatoken="
	if len(selected) > 0 {
		link += "&$select=" + url.QueryEscape(strings.Join(selected, ","))
	}
	return link
}

// deltaLink is the link for the next round, skipLink that for the next page of this one.
func (t *Tenant) deltaLink(d deltaToken) string {
	next := deltaToken{Generation: d.Generation, Collection: d.Collection, Select: d.Select, Only: d.Only, Since: d.Began, Issued: t.now().Unix()}
	return t.graphURL(d.Collection+"/delta") + "?$deltatoken=" + next.String()
}

func (t *Tenant) skipLink(d deltaToken) string {
	d.Issued = t.now().Unix()
	return t.graphURL(d.Collection+"/delta") + "?$skiptoken=" + d.String()
}

// wantsMembers reports whether a query on groups tracks their members.
func (d deltaToken) wantsMembers() bool {
	return len(d.Select) == 0 || slices.Contains(d.Select, "members")
}

// maxPageSize reads Prefer: odata.maxpagesize=N, which bounds a page of a delta answer.
func maxPageSize(r *http.Request) int {
	for _, header := range r.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(header, ",") {
			if value, ok := strings.CutPrefix(strings.TrimSpace(preference), "odata.maxpagesize="); ok {
				if n, err := strconv.Atoi(value); err == nil && n > 0 {
					return min(n, largestPage)
				}
			}
		}
	}
	return defaultDeltaPage
}

// minimal reports whether the client wants changed properties only.
func minimal(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values("Prefer"), func(h string) bool { return strings.Contains(h, "return=minimal") })
}
