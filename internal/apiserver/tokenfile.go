package apiserver

import (
	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/project"
)

// tokenFile is what a workspace's agent is told to keep; nil: nothing.
func tokenFile(f *project.TokenFile) *api.TokenFile {
	if f == nil {
		return nil
	}
	return &api.TokenFile{
		For: f.For, Holds: f.Holds(), Role: f.Role, Region: f.Region, Client: f.Client, Tenant: f.Tenant,
		ServiceAccount: f.ServiceAccount, Server: f.Server, Authority: f.Authority,
	}
}
