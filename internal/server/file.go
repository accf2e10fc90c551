package server

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/tlscert"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/docker"
	"github.com/lanyardhq/lanyard/internal/workspace/sandbox"
)

// FromFile makes options of a configuration file that was read and checked. It opens the listener.
func FromFile(ctx context.Context, c *config.Config, agentPath, version string, log *slog.Logger) (Options, error) {
	if c.Docker == nil && !c.Sandbox {
		return Options{}, problem.New(problem.Invalid,
			"No runtime is configured. Say `runtimes: {docker: {}}`; the sandbox is for trusted people only: `runtimes: {sandbox: {trusted_users_only: true}}` if yours are.")
	}
	keys, err := config.ReadEncryptionKeys(c.EncryptionKeyFile)
	if err != nil {
		return Options{}, err
	}
	tenant := tenantOf(c)
	app := tenant.Credential
	if err := app.Check(); err != nil {
		return Options{}, err
	}
	database := c.Database
	if c.DatabaseFile != "" {
		if database, err = config.ReadSecret(c.DatabaseFile); err != nil {
			return Options{}, err
		}
	}
	var alarms string
	if c.AlarmFile != "" {
		if alarms, err = config.ReadSecret(c.AlarmFile); err != nil {
			return Options{}, err
		}
	}
	var authority *tlscert.ACME
	if c.TLS.ACME != nil {
		if authority, err = c.TLS.ACME.ReadACME(); err != nil {
			return Options{}, err
		}
	}
	clients, err := clientsOf(c)
	if err != nil {
		return Options{}, err
	}
	at, err := listen(ctx, c)
	if err != nil {
		return Options{}, err
	}
	return Options{
		Replicas: at.replicas, ReplicaAddress: c.ListenReplicas,
		Operations: Operations{
			Listener: at.operations, Hosts: c.Operations.Hosts, Requests: c.Operations.Requests,
			Traces: c.Operations.Traces, Sample: c.Operations.Sample,
		},
		Alarms: alarms, GitHub: c.GitHub, Clients: clients,
		Connections: c.Limits.Connections, SignIns: c.Limits.SignIns, Classes: c.Classes, Rules: c.Rules, Snapshots: c.Snapshots, Prebuilds: c.Prebuilds,
		URL: c.URL, Listener: at.sites, Plain: at.plain, Socket: filepath.Join(c.Data, "lanyard.sock"), Data: c.Data, PostgreSQL: database,
		EncryptionKeys: keys.Keys, ReadKeys: func() ([][]byte, error) {
			keys, err := config.ReadEncryptionKeys(c.EncryptionKeyFile)
			return keys.Keys, err
		},
		WorkspaceDomain: c.Workspaces, AppDomain: c.Apps, TrustedProxies: c.TrustedProxies, Certificates: c.TLS.Certificates, ACME: authority,
		Tenant: tenant, TokenURL: tokenURL(c), Graph: c.Entra.Graph, Notifications: notificationsTo(c), SignInLog: c.OIDC == nil && c.Directory.Members != config.FromSignIn && c.Entra.SignInLog != config.NoSignInLog,
		Projects: c.Projects, FromGroups: c.FromGroups, Policies: c.Policies, Global: c.Roles,
		Idle: c.Sessions.Idle, Lifetime: c.Sessions.Lifetime, Guests: c.Entra.Guests, FormPost: c.Entra.FormPost,
		Sweep: c.Directory.Sweep, Members: c.Directory.Members, Users: c.Directory.Users, SCIM: c.Entra.SCIM, Stale: c.Directory.StaleAfter, Close: c.Directory.CloseAfter, StepUp: c.StepUp,
		CheckpointCopies: c.Audit.Checkpoints, Audit: c.Audit, KeepWorkspaces: true, Version: version, Log: log,
		Registries: c.Registries,
		Runtime: func(log *slog.Logger, registries Registries) (workspace.Runtime, error) {
			if d := c.Docker; d != nil {
				return docker.New(docker.Config{
					Data: c.Data, AgentPath: agentPath, Socket: d.Socket, Image: d.Image, Transport: registries.Transport, Plain: registries.Plain, Log: log,
				})
			}
			images, err := image.New(image.Config{Dir: filepath.Join(c.Data, "images"), Transport: registries.Transport, Plain: registries.Plain, Log: log})
			if err != nil {
				return nil, err
			}
			return sandbox.New(sandbox.Config{Data: c.Data, AgentPath: agentPath, Images: images, Log: log})
		},
	}, nil
}

// tenantOf is where people sign in, and Lanyard's client there.
func tenantOf(c *config.Config) signin.Tenant {
	o := c.OIDC
	if o == nil {
		return signin.Tenant{
			ID: c.Entra.Tenant, Issuer: c.Entra.Issuer(), ClientID: c.Entra.ClientID, Credential: credential.New(c.Entra.ClientID, c.Entra.Credentials),
		}
	}
	return signin.Tenant{
		ID: c.Tenant(), Issuer: o.Issuer, ClientID: o.ClientID, Credential: credential.New(o.ClientID, o.Credentials),
		OIDC: &signin.OIDC{
			Name: o.Name, Scopes: o.Scopes, Groups: o.GroupsClaim, Roles: o.RolesClaim, Prompt: o.Prompt, TokenAuth: o.TokenAuth, MaxAge: c.Sessions.Lifetime,
		},
	}
}

// tokenURL is where Graph's tokens are had; empty where there is no Graph: nothing of another provider's client goes there.
func tokenURL(c *config.Config) string {
	if c.OIDC != nil {
		return ""
	}
	return c.Entra.TokenURL()
}

// notificationsTo is where Graph reaches a server; empty: nowhere.
func notificationsTo(c *config.Config) string {
	if c.OIDC != nil {
		return ""
	}
	switch c.Entra.Notifications {
	case "":
		return c.URL + NotificationPath
	case config.NoNotifications:
		return ""
	}
	return c.Entra.Notifications
}
