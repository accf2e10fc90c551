package oidc

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// zitadels is the OpenID provider of zitadel's library, with its sample pages and people, who are in groups here.
type zitadels struct {
	*storage.Storage
	mu     sync.Mutex
	groups map[string][]string // by subject
}

// SetUserinfoFromToken implements op.Storage: what UserInfo answers.
func (z *zitadels) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	if err := z.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin); err != nil {
		return err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	roles := map[string]any{} // as zitadel says roles: the members of an object
	for _, group := range z.groups[subject] {
		roles[group] = map[string]string{"174823": "contoso.example"}
	}
	info.AppendClaims("urn:zitadel:iam:org:project:roles", roles)
	return nil
}

func (z *zitadels) put(subject string, groups ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.groups[subject] = groups
}

// zitadel serves it for a Lanyard.
func zitadel(t *testing.T, l *lanyard) (issuer string, z *zitadels) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	issuer = "http://zitadel.localhost:" + port
	z = &zitadels{groups: map[string][]string{}, Storage: storage.NewStorageWithClients(storage.NewUserStore(issuer), map[string]*storage.Client{
		client: storage.WebClient(client, clientSecret, l.redirect(issuer)),
	})}
	s := &httptest.Server{Listener: listener, Config: &http.Server{Handler: exampleop.SetupServer(issuer, z, nil, false, op.WithAllowInsecure())}}
	s.Start()
	t.Cleanup(s.Close)
	return issuer, z
}

// The same with the provider of others, and on PostgreSQL: groups are the members of an object in UserInfo, and refresh tokens are for one
// use.
func TestZitadelsProvider(t *testing.T) {
	t.Parallel()
	l := place(t)
	l.postgres = true
	issuer, z := zitadel(t, l)
	z.put("id2", "/contoso/engineers")
	l.serve(issuer, upstream(t), "", `  groups_claim: "urn:zitadel:iam:org:project:roles"`)

	who, err := l.signIn("test-user2", "verysecure")
	if err != nil {
		t.Fatal(err)
	}
	if role := l.role(who); role != "developer" {
		t.Errorf("the role is %q", role)
	}
	me, err := who.Me(within(t))
	if err != nil || me.User != "u-id2" || me.UserName != "test-user2" || me.Mail != "test-user2@zitadel.ch" {
		t.Errorf("%+v %v", me, err)
	}
	z.put("id2", "everybody")
	eventually(t, "the role follows the claim", func() bool { return l.role(who) == "viewer" })
	z.put("id2", "everybody", "/contoso/engineers")
	eventually(t, "and back", func() bool { return l.role(who) == "developer" })
	if err := z.TerminateSession(within(t), "id2", client); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sign-in ends with the one at the provider", func() bool {
		_, err := who.Me(within(t))
		return err != nil
	})
}
