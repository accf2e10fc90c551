package httpproxy

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/token"
)

// AssertionType is the assertion's `typ`.
const AssertionType = "lanyard-assertion+jwt"

// assertionLife is how long an app may take to look at an assertion. It is bound to one method and path besides.
const assertionLife = 60 * time.Second

// Assertion is what an app is told: who calls, in which project and role, through which workspace, and for which
// request alone that holds.
type Assertion struct {
	Issuer    string               `json:"iss"`
	Audience  string               `json:"aud"`
	Subject   string               `json:"sub"` // "user:<tid>/<oid>"; ASCII, at most 127 bytes
	IssuedAt  int64                `json:"iat"`
	Expires   int64                `json:"exp"`
	Tenant    identity.TenantID    `json:"tid"`
	Object    string               `json:"oid"`
	Name      string               `json:"name,omitempty"`
	UserName  string               `json:"preferred_username,omitempty"`
	Project   string               `json:"project"`
	Roles     []string             `json:"roles"`
	Workspace identity.WorkspaceID `json:"workspace,omitempty"`
	Session   identity.SessionID   `json:"sid"`
	Act       *Actor               `json:"act,omitempty"` // the AI agent that calls for the person (RFC 8693, section 4.1)
	Method    string               `json:"htm"`           // the request's method, as in DPoP (RFC 9449)
	Path      string               `json:"htp"`           // and its escaped path, without the query
}

// Actor is an AI agent that acts for the person whom an assertion is about.
type Actor struct {
	Subject string `json:"sub"` // "agent:<name>"
}

// assert puts the assertion on a request to an app that wants one. Every request is signed by itself: an assertion
// that an app leaks says nothing about another request.
func (x *exchange) assert(r *http.Request) error {
	if x.app.Audience == "" {
		return nil
	}
	now := time.Now()
	a := Assertion{
		Issuer: x.c.Issuer, Audience: x.app.Audience, Subject: subject(x.who.User),
		IssuedAt: now.Unix(), Expires: now.Add(assertionLife).Unix(),
		Tenant: x.who.User.Tenant, Object: x.who.User.Object,
		Project: x.project.Name, Roles: []string{}, Workspace: x.who.Workspace, Session: x.who.Session,
		Method: r.Method, Path: r.URL.EscapedPath(),
	}
	if x.who.Kind == identity.AIAgent {
		a.Act = &Actor{"agent:" + x.who.Agent}
	}
	if role := x.lease.Decision().Role; role != "" {
		a.Roles = append(a.Roles, string(role))
	}
	if u, ok := x.c.Facts().Directory.User(x.who.User); ok {
		a.Name, a.UserName = u.Name, u.UserName
	}
	signed, err := x.c.Keys.Sign(token.Assertion, AssertionType, a)
	if err != nil {
		return fmt.Errorf("sign the assertion for the app %s: %w", x.app.Name, err)
	}
	r.Header.Set(AssertionHeader, signed)
	return nil
}

// subject names a user within what every verifier takes: ASCII up to 127 bytes. Providers whose issuer or subject
// does not fit are named by a hash of both.
func subject(u identity.UserID) string {
	const most = 127
	s := "user:" + u.Key()
	plain := len(s) <= most
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] > ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	sum := sha256.Sum256([]byte(u.Key()))
	return "user:sha256/" + base64.RawURLEncoding.EncodeToString(sum[:])
}
