package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Directory says how the directory is read, how old it is, and how much is in it.
type Directory struct {
	Members string `json:"members" doc:"Who says who is in which group: graph, scim or sign-in"`
	// AsOf is when the source last said that this is how it is; absent when it never did.
	AsOf       time.Time `json:"as_of,omitzero"`
	AgeSeconds float64   `json:"age_seconds"`
	// Nothing new is allowed when the directory is older than StaleAfter, and what is open closes after CloseAfter.
	StaleAfterSeconds float64 `json:"stale_after_seconds"`
	CloseAfterSeconds float64 `json:"close_after_seconds"`
	State             string  `json:"state" doc:"fresh, stale (nothing new is allowed), expired (what was open is closed) or unread"`
	Users             int     `json:"users"`
	Disabled          int     `json:"disabled" doc:"Users who are disabled in the source of their record"`
	Blocked           int     `json:"blocked" doc:"Users whom the other source has disabled, in the directory or not"`
	Groups            int     `json:"groups"`
	AppRoles          int     `json:"app_roles"`
	Memberships       int     `json:"memberships" doc:"Direct ones, of groups and app roles"`
}

// DirectoryUser is a person as the directory has them.
type DirectoryUser struct {
	ID          string    `json:"id" doc:"u-… and the object ID"`
	Object      string    `json:"object"`
	Name        string    `json:"name"`
	UserName    string    `json:"user_name"`
	Mail        string    `json:"mail,omitempty"`
	Enabled     bool      `json:"enabled" doc:"As the source of the record says"`
	Blocked     bool      `json:"blocked" doc:"Another source has the user disabled"`
	Active      bool      `json:"active" doc:"Enabled in every source: only then is anything allowed"`
	SignInsFrom time.Time `json:"sign_ins_from,omitzero" doc:"All sign-ins before were ended at the tenant"`
	// DirectGroups are the object IDs of the groups and app roles that have the user as a direct member, sorted.
	DirectGroups []string `json:"direct_groups"`
}

// DirectoryUserDetail is a person with what follows from the record.
type DirectoryUserDetail struct {
	DirectoryUser
	Groups   []Group   `json:"groups" doc:"Direct and nested, each with its path"`
	AppRoles []Group   `json:"app_roles" doc:"Held directly, or as an immediate member of an assigned group"`
	Projects []Holding `json:"projects"`
	Roles    []string  `json:"roles" doc:"Roles of the whole installation"`
	SignIns  int       `json:"sign_ins" doc:"How many sign-ins are alive"`
}

// DirectoryGroup is a group, or who holds an app role, as the directory has it.
type DirectoryGroup struct {
	ID       string `json:"id" doc:"The object ID; of an app role app-role: and its value"`
	Name     string `json:"name"`
	AppRole  string `json:"app_role,omitempty" doc:"The value of the app role whose holders these are"`
	Security bool   `json:"security"`
	Assigned bool   `json:"assigned" doc:"To Lanyard's enterprise application"`
	Users    int    `json:"users" doc:"Direct members"`
	Groups   int    `json:"groups" doc:"Groups that are direct members"`
}

// DirectoryGroupDetail is a group with what follows from it.
type DirectoryGroupDetail struct {
	DirectoryGroup
	In       []DirectoryGroup `json:"in" doc:"Groups and app roles that have it as a direct member"`
	Below    int              `json:"below" doc:"Users in it, directly or through other groups"`
	Projects []Holding        `json:"projects" doc:"Projects in which the group itself holds a role"`
	Roles    []string         `json:"roles" doc:"Roles of the whole installation that the group itself holds"`
}

// DirectoryMember is a direct member of a group: one of the two is set.
type DirectoryMember struct {
	User  string `json:"user,omitempty" doc:"The object ID of a user"`
	Group string `json:"group,omitempty" doc:"The object ID of a group"`
	Name  string `json:"name,omitempty"`
	Known bool   `json:"known" doc:"It is in the directory; a membership of what is not gives nothing"`
}

// DirectoryEntry is what a name means: one of the two is set.
type DirectoryEntry struct {
	User  *DirectoryUserDetail  `json:"user,omitempty"`
	Group *DirectoryGroupDetail `json:"group,omitempty"`
}

// Directory says how the directory is read and how old it is.
func (c *Client) Directory(ctx context.Context) (d Directory, err error) {
	return d, c.Do(ctx, http.MethodGet, "/directory", nil, nil, &d)
}

// DirectoryEntry finds a user or a group by ID or name.
func (c *Client) DirectoryEntry(ctx context.Context, name string) (e DirectoryEntry, err error) {
	return e, c.Do(ctx, http.MethodGet, "/directory/entry", values("name", name), nil, &e)
}

// DirectoryUsers lists all users of the directory by object ID.
func (c *Client) DirectoryUsers(ctx context.Context) ([]DirectoryUser, error) {
	return list[DirectoryUser](ctx, c, "/users", values("limit", "500"))
}

// DirectoryGroups lists all groups and app roles of the directory by object ID.
func (c *Client) DirectoryGroups(ctx context.Context) ([]DirectoryGroup, error) {
	return list[DirectoryGroup](ctx, c, "/groups", values("limit", "500"))
}

// DirectoryMembers lists the direct members of a group.
func (c *Client) DirectoryMembers(ctx context.Context, group string) ([]DirectoryMember, error) {
	return list[DirectoryMember](ctx, c, "/groups/"+url.PathEscape(group)+"/members", values("limit", "500"))
}
