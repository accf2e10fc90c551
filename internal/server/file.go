package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/sandbox"
)

// FromFile makes options of a configuration file that was read and checked. It opens the listener.
func FromFile(ctx context.Context, c *config.Config, agentPath, version string, log *slog.Logger) (Options, error) {
	if !c.Sandbox {
		return Options{}, problem.New(problem.Invalid,
			"No runtime is configured. The sandbox is for trusted people only; say `runtimes: {sandbox: {trusted_users_only: true}}` if yours are.")
	}
	keys, err := config.ReadEncryptionKeys(c.EncryptionKeyFile)
	if err != nil {
		return Options{}, err
	}
	app := credential.New(c.Entra.ClientID, c.Entra.Credentials)
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
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return Options{}, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	var operations net.Listener
	if c.Operations.Listen != "" {
		if operations, err = lc.Listen(ctx, "tcp", c.Operations.Listen); err != nil {
			listener.Close()
			return Options{}, fmt.Errorf("listen on %s for operators: %w", c.Operations.Listen, err)
		}
	}
	var replicas net.Listener
	if c.ListenReplicas != "" {
		if replicas, err = lc.Listen(ctx, "tcp", c.ListenReplicas); err != nil {
			listener.Close()
			if operations != nil {
				operations.Close()
			}
			return Options{}, fmt.Errorf("listen on %s for other replicas: %w", c.ListenReplicas, err)
		}
	}
	return Options{
		Replicas: replicas, ReplicaAddress: c.ListenReplicas,
		Operations: Operations{
			Listener: operations, Hosts: c.Operations.Hosts, Requests: c.Operations.Requests,
			Traces: c.Operations.Traces, Sample: c.Operations.Sample,
		},
		Alarms: alarms, GitHub: c.GitHub,
		Connections: c.Limits.Connections, SignIns: c.Limits.SignIns,
		URL: c.URL, Listener: listener, Socket: filepath.Join(c.Data, "lanyard.sock"), Data: c.Data, PostgreSQL: database,
		EncryptionKeys: keys.Keys, ReadKeys: func() ([][]byte, error) {
			keys, err := config.ReadEncryptionKeys(c.EncryptionKeyFile)
			return keys.Keys, err
		},
		WorkspaceDomain: c.Workspaces, AppDomain: c.Apps, TrustedProxies: c.TrustedProxies, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile,
		Tenant: signin.Tenant{
			ID: c.Entra.Tenant, Issuer: c.Entra.Issuer(), ClientID: c.Entra.ClientID, Credential: app,
		},
		TokenURL: c.Entra.TokenURL(), Graph: c.Entra.Graph, Notifications: notificationsTo(c),
		Projects: c.Projects, FromGroups: c.FromGroups, Policies: c.Policies, Global: c.Roles,
		Idle: c.Sessions.Idle, Lifetime: c.Sessions.Lifetime,
		Sweep: c.Directory.Sweep, Members: c.Directory.Members, Users: c.Directory.Users, SCIM: c.Entra.SCIM, Stale: c.Directory.StaleAfter, Close: c.Directory.CloseAfter, StepUp: c.StepUp,
		CheckpointCopies: c.Audit.Checkpoints, Audit: c.Audit, KeepWorkspaces: true, Version: version, Log: log,
		Runtime: func(log *slog.Logger) (workspace.Runtime, error) {
			return sandbox.New(sandbox.Config{Data: c.Data, AgentPath: agentPath, Log: log})
		},
	}, nil
}

// notificationsTo is where Graph reaches a server; empty: nowhere.
func notificationsTo(c *config.Config) string {
	switch c.Entra.Notifications {
	case "":
		return c.URL + NotificationPath
	case config.NoNotifications:
		return ""
	}
	return c.Entra.Notifications
}
