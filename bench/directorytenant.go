package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/server"
)

// directoryTenant is where a tenant is, and as whom it is read.
type directoryTenant struct {
	Graph, TokenURL, Secret string
}

// directoryChange puts a person into a group, or takes them out.
type directoryChange struct {
	Group, User string
	In          bool
}

// tenantRole is a tenant with a large organisation.
type tenantRole struct {
	tenant *entrasim.Tenant
	server *http.Server
}

func (r *tenantRole) methods() map[string]method {
	return map[string]method{"start": takes(r.start), "change": takes(r.change)}
}

func (r *tenantRole) start(_ context.Context, size entrasim.Size) (about directoryTenant, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return about, err
	}
	url := fmt.Sprintf("http://tenant.localhost:%d", l.Addr().(*net.TCPAddr).Port)
	about.Secret = "only-the-benchmark-knows"
	org := entrasim.Contoso(entrasim.Sample{Secret: about.Secret}).Grown(size)
	if r.tenant, err = entrasim.New(entrasim.Config{URL: url, Organisation: org, Dial: server.Dial}); err != nil {
		return about, err
	}
	r.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: r.tenant}
	go func() { _ = r.server.Serve(l) }() // ends with close
	about.Graph, about.TokenURL = r.tenant.GraphURL(), url+"/"+entrasim.ContosoTenantID+"/oauth2/v2.0/token"
	return about, nil
}

// change makes sure that it is one: who is in the group already is taken out first.
func (r *tenantRole) change(_ context.Context, c directoryChange) (nothing, error) {
	if !c.In {
		return nothing{}, r.tenant.RemoveMember(c.Group, c.User)
	}
	if g, ok := r.tenant.Group(c.Group); ok && slices.Contains(g.Members, c.User) {
		return nothing{}, nil
	}
	return nothing{}, r.tenant.AddMember(c.Group, c.User)
}

func (r *tenantRole) close() {
	if r.server != nil {
		r.server.Close()
	}
	if r.tenant != nil {
		r.tenant.Close()
	}
}
