package issuer

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/token"
)

// WorkloadType is the `typ` of tokens for services. Tokens for clouds have the plain one: not all of them take another.
const (
	WorkloadType   = "lanyard-workload+jwt"
	federationType = "JWT"
)

// Claims are what a minted token says. Decisions rest on immutable IDs; names are for show.
type Claims struct {
	Issuer    string               `json:"iss"`
	Subject   string               `json:"sub"` // ASCII, at most 127 bytes
	Audience  string               `json:"aud"`
	Expires   int64                `json:"exp"`
	Issued    int64                `json:"iat"`
	ID        string               `json:"jti"`
	Object    string               `json:"oid"`
	Tenant    identity.TenantID    `json:"tid"`
	Name      string               `json:"name,omitempty"`
	UserName  string               `json:"preferred_username,omitempty"`
	Session   identity.SessionID   `json:"sid"`
	ProjectID identity.ProjectID   `json:"project_id"`
	Project   string               `json:"project"`
	Roles     []string             `json:"roles"`
	Workspace identity.WorkspaceID `json:"workspace,omitempty"`
	// Repository is that of the workspace's checkout.
	Repository string `json:"repository,omitempty"`
	AuthTime   int64  `json:"auth_time"`
	Strength   string `json:"acr,omitempty"`
	Client     string `json:"client_id,omitempty"` // the OAuth client that it was exchanged by
	Scope      string `json:"scope,omitempty"`
	// Act is who acts for the subject (RFC 8693 section 4.1): of those nested in it, only the outermost decides.
	Act    *Act     `json:"act,omitempty"`
	MayAct *MayAct  `json:"may_act,omitempty"` // who may act for it at an exchange; absent: nothing is said
	Bound  *binding `json:"cnf,omitempty"`
	*GitpodClaims
}

// Act is an actor, and within it who acted before.
type Act struct {
	Subject string             `json:"sub"`
	Session identity.SessionID `json:"sid,omitempty"`
	Act     *Act               `json:"act,omitempty"`
}

// AgentSubject is an AI agent as tokens name it: an actor, beside the person whom it acts for.
func AgentSubject(name string) string { return "agent:" + name }

// GitpodClaims are those that Gitpod's workspace tokens had and Lanyard's have under other names, or not at all
// (gitpod-io/gitpod, components/public-api-server/pkg/identityprovider and pkg/apiv1/identityprovider.go). Whether an
// e-mail address is its owner's no directory says, so it is never called verified.
type GitpodClaims struct {
	Party        string               `json:"azp"`
	Mail         string               `json:"email,omitempty"`
	MailVerified bool                 `json:"email_verified"`
	UserID       string               `json:"user_id"`
	Organization identity.TenantID    `json:"org_id"`
	Context      string               `json:"context"`
	WorkspaceID  identity.WorkspaceID `json:"workspace_id"`
}

// kindOfKey is what signs tokens for an audience, and their `typ`.
func kindOfKey(a project.Audience) (kind, typ string) {
	if a.Federation {
		return token.Federation, federationType
	}
	return token.Workload, WorkloadType
}

const longestSubject = 127 // bytes: the least that a receiver takes (Google Cloud, google.subject)

// subjectFor is whom a token is about. A receiver of federated tokens looks at no `act`, so there an AI agent has a subject
// of its own: what its person may do does not follow.
func subjectFor(d project.Declared, who identity.Principal) string {
	suffix := ""
	if who.Kind == identity.AIAgent && d.Audience.Federation {
		suffix = ":" + AgentSubject(who.Agent)
	}
	if d.Audience.Subject == project.OfProject {
		return "project:" + string(d.Project.ID) + suffix
	}
	subject := Subject(who.User)
	if len(subject)+len(suffix) > longestSubject {
		subject = hashedSubject(who.User)
	}
	return subject + suffix
}

func hashedSubject(u identity.UserID) string {
	digest := sha256.Sum256([]byte(u.Key()))
	return "u-sha256-" + base64.RawURLEncoding.EncodeToString(digest[:])
}

// claims makes those of a token for an audience.
func (s *Issuer) claims(r MintRequest, d project.Declared, role string, row *session.Session, signIn *session.SignIn, now, expires time.Time) Claims {
	who := r.Principal
	c := Claims{
		Issuer: s.c.URL, Subject: subjectFor(d, who), Audience: d.Audience.Value, Expires: expires.Unix(), Issued: now.Unix(), ID: random(),
		Object: who.User.Object, Tenant: who.User.Tenant, Session: row.ID, ProjectID: d.Project.ID, Project: d.Project.Name, Roles: []string{},
		Workspace: who.Workspace, AuthTime: signIn.At.Unix(), Strength: signIn.Strength, Client: r.Client, Scope: r.Scope, Act: r.Actor,
	}
	if role != "" {
		c.Roles = append(c.Roles, role)
	}
	if r.Key != "" {
		c.Bound = &binding{r.Key}
	}
	if r.MayAct != "" {
		c.MayAct = &MayAct{r.MayAct}
	}
	if who.Kind == identity.AIAgent && !r.Actor.has(who.Session) {
		c.Act = &Act{Subject: AgentSubject(who.Agent), Session: who.Session, Act: r.Actor}
	}
	place := s.place(who.Workspace)
	c.Repository = place.Repository
	user, known := s.c.Directory().User(who.User)
	if known && !d.Audience.Federation { // a cloud writes what it gets into its logs
		c.Name, c.UserName = user.Name, user.UserName
	}
	if !r.Gitpod {
		return c
	}
	c.GitpodClaims = &GitpodClaims{
		Party: c.Audience, UserID: c.Object, Organization: c.Tenant, WorkspaceID: c.Workspace, Context: place.context(),
	}
	if known {
		c.Name, c.Mail = user.Name, user.Mail
	}
	c.Subject = place.Repository
	if who.Kind == identity.AIAgent {
		c.Subject += ":" + AgentSubject(who.Agent)
	}
	return c
}

// Place is what a workspace is on.
type Place struct {
	Repository string // canonical URL
	Ref        string // empty for the default branch
}

func (p Place) context() string {
	if p.Ref == "" {
		return p.Repository
	}
	return p.Repository + "/tree/" + p.Ref
}

func (s *Issuer) place(id identity.WorkspaceID) Place {
	if id == "" || s.c.Mint.Workspace == nil {
		return Place{}
	}
	return s.c.Mint.Workspace(id)
}
