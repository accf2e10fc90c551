package apiserver

import (
	"net/http"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Why routes open their leases themselves.
const (
	selfOrOperator = "a person asks about themselves, the operator about the installation"
	inBody         = "the resource stands in the body"
	ownOrAll       = "one's own needs no role, everybody's does"
	saysGoodbye    = "a stream tells its reader why it ends"
	neverWaits     = "ending access must not wait for the audit log, and what is ended says whose it is"
	gatewayOpens   = "the gateway opens the lease, since it alone can say goodbye in the protocol"
)

var userParam = param{"user", "Whose: u-…, a user principal name, or * for everybody; absent, one's own"}

// endpoints is the whole API.
func (s *server) endpoints() []endpoint {
	get, post, del := http.MethodGet, http.MethodPost, http.MethodDelete
	return append([]endpoint{
		{method: get, path: "/me", access: web.Asks(selfOrOperator), serve: s.under(s.self, s.me),
			says: "Who asks, and through which groups", out: api.Me{}},
		{method: get, path: "/sessions", access: web.Asks(ownOrAll), serve: s.under(s.whose(identity.LeaseList), s.sessions),
			says: "Sign-ins, newest first, and the sessions below them", query: paged(userParam), out: api.Page[api.SignIn]{}},
		{method: get, path: "/connections", access: web.Needs(identity.SelfView), on: ownThings, serve: s.connections,
			says: "The Git hosts that the person is connected to, or can be", out: api.Page[api.Connection]{}},
		{method: del, path: "/connections/{app}", access: web.Needs(identity.SelfConnect), on: ownThings, serve: s.disconnect,
			says: "Removes a connection to a Git host", status: http.StatusNoContent},
		{method: get, path: "/projects", access: web.Asks(selfOrOperator), serve: s.under(s.self, s.projects),
			says: "The projects that the person may see", query: paged(), out: api.Page[api.Project]{}},
		{method: get, path: "/projects/findings", access: web.Needs(identity.DirectoryRead), on: installation, serve: s.projectFindings,
			says:  "What is wrong with roles and groups: bindings that are void, and groups that make no project. Takes the role admin or auditor",
			query: paged(), out: api.Page[api.Finding]{}},
		{method: get, path: "/context", access: web.Asks(selfOrOperator), serve: s.under(s.self, s.context),
			says: "What a context URL would start", query: []param{{"url", "The context URL"}}, out: api.Context{}},

		{method: get, path: "/workspaces", access: web.Asks(selfOrOperator), serve: s.under(s.self, s.workspaces),
			says: "One's own workspaces and those one may list, newest first", query: paged(), out: api.Page[api.Workspace]{}},
		{method: post, path: "/workspaces", access: web.Asks(inBody), serve: s.create,
			says: "Starts a workspace", in: api.Order{}, out: api.Workspace{}, status: http.StatusCreated},
		{method: get, path: "/workspaces/{id}", access: web.Needs(identity.WorkspaceList), on: s.workspaceIn, serve: s.workspace,
			says: "One workspace", out: api.Workspace{}},
		{method: post, path: "/workspaces/{id}/start", access: web.Needs(identity.WorkspaceStart), on: s.workspaceIn, serve: s.start,
			says: "Starts a stopped workspace again", out: api.Workspace{}, status: http.StatusAccepted},
		{method: post, path: "/workspaces/{id}/stop", access: web.Needs(identity.WorkspaceStop), on: s.workspaceIn, serve: s.stop,
			says: "Stops a workspace; its files are kept", out: api.Workspace{}, status: http.StatusAccepted},
		{method: del, path: "/workspaces/{id}", access: web.Needs(identity.WorkspaceDelete), on: s.workspaceIn, serve: s.remove,
			says:  "Deletes a workspace with its files. What no remote has is lost only with force: without it, that is a conflict",
			query: []param{{"force", "true: also what is not committed or not pushed"}}, status: http.StatusNoContent},
		{method: get, path: "/workspaces/{id}/events", access: web.Asks(saysGoodbye),
			serve: s.streamed(s.onWorkspace(identity.WorkspaceList), s.workspaceEvents), media: eventStream, out: api.Progress{},
			says: "The present start as server-sent events: progress, and workspace with its state, until the state is reached"},
		{method: get, path: "/workspaces/{id}/logs", access: web.Needs(identity.WorkspaceList), on: s.workspaceIn, serve: s.workspaceLogs,
			says: "The lines of the present or last start", out: api.Page[api.Progress]{}},
		{method: get, path: "/workspaces/{id}/exec", access: web.Asks(gatewayOpens), serve: s.exec, status: http.StatusSwitchingProtocols,
			says: "Runs a command over a WebSocket whose first text message is an ExecRequest", out: api.ExecRequest{}},
		{method: get, path: "/workspaces/{id}/ports/{port}", access: web.Asks(gatewayOpens), serve: s.forward, status: http.StatusSwitchingProtocols,
			says: "Carries one connection to a port of the workspace over a WebSocket whose binary messages are its bytes, an empty one the end of a direction; port 0 carries none, and ends when access does"},

		{method: get, path: "/leases", access: web.Asks(ownOrAll), serve: s.under(s.whose(identity.LeaseList), s.leases),
			says: "What is open now and what was ended lately", query: []param{pageParams[0], userParam}, out: api.Leases{}},
		{method: get, path: "/leases/events", access: web.Asks(saysGoodbye), serve: s.streamed(s.whose(identity.LeaseList), s.leaseEvents),
			says: "The same as server-sent events named leases, whenever it changes, at most four a second", media: eventStream,
			query: []param{pageParams[0], userParam}, out: api.Leases{}},
		{method: del, path: "/leases/{id}", access: web.Asks(neverWaits), serve: s.endLease,
			says: "Ends one open access", out: api.Revoked{}},
		{method: post, path: "/revoke", access: web.Asks(neverWaits), serve: s.revoke,
			says: "Ends a user's sign-ins, a session, or one open access", in: api.Revoke{}, out: api.Revoked{}},

		{method: get, path: "/access", access: web.Asks(ownOrAll), serve: s.under(s.about, s.accessList), out: api.Page[api.Access]{},
			says:  "What somebody may do now, by project and resource; nothing is opened",
			query: paged(param{"user", "About whom; absent, about oneself"})},
		{method: get, path: "/why", access: web.Asks(ownOrAll), serve: s.under(s.about, s.why), out: api.Why{},
			says: "A decision with its facts and policies; nothing is opened",
			query: []param{{"action", "kind:verb"}, {"resource", "A repository's URL, PROJECT/NAME, a project's name, a workspace's ID, self or installation"},
				{"user", "About whom; absent, about oneself"}}},
	}, append(append(append(append(s.settingEndpoints(), s.activityEndpoints()...), append(append(s.snapshotEndpoints(), s.registryEndpoints()...), s.prebuildEndpoints()...)...), append(append(s.machineEndpoints(), s.auditEndpoints()...), s.reviewEndpoints()...)...), append(s.grantEndpoints(), append(s.whatIfEndpoints(), append(s.directoryEndpoints(), s.provisioningEndpoints()...)...)...)...)...)
}
