package identity

// Action is what is to be done: `kind:verb`.
type Action string

// The actions that Lanyard knows. The shipped policy says which role may do which.
const (
	ProjectView     Action = "project:view"     // see that a project is there, and what it holds
	RepoRead        Action = "repo:read"        // clone, fetch
	RepoWrite       Action = "repo:write"       // push
	RepoTag         Action = "repo:tag"         // push a tag
	RepoForce       Action = "repo:force"       // move a ref away from commits that it held
	RepoDelete      Action = "repo:delete"      // delete a ref
	RepoMaintain    Action = "repo:maintain"    // push what the project's rules for refs leave to maintainers
	AppCall         Action = "app:call"         // send a request to an internal app
	AppView         Action = "app:view"         // send one that a rule of the app leaves to viewers
	RegistryRead    Action = "registry:read"    // get packages from a registry
	RegistryPublish Action = "registry:publish" // put packages there, or change what is there
	EgressConnect   Action = "egress:connect"   // connect from a workspace to a host that is no resource
	WorkspaceCreate Action = "workspace:create" // start a new workspace in a project
	WorkspaceList   Action = "workspace:list"   // see that a workspace is there and its state
	WorkspaceOpen   Action = "workspace:open"   // terminal, exec, ports: be inside
	WorkspaceStart  Action = "workspace:start"  // start a stopped one again
	WorkspaceStop   Action = "workspace:stop"
	WorkspaceDelete Action = "workspace:delete"
	WorkspaceExport Action = "workspace:export" // take the files of a stopped one whose owner is gone
	AgentRun        Action = "agent:run"        // run an AI agent beside a workspace of one's own
	AgentShare      Action = "agent:share"      // let it work on the workspace's own checkout
	EnvList         Action = "env:list"         // see which environment variables are set, of oneself or of a project
	EnvSet          Action = "env:set"          // set and remove them
	EnvSecret       Action = "env:secret"       // have secret variables in the environment of a workspace
	TokenMint       Action = "token:mint"       // get a token that an audience takes
	LeaseList       Action = "lease:list"       // see open and ended leases
	LeaseRevoke     Action = "lease:revoke"     // end a lease, a session or all of a user's sign-ins
	AuditRead       Action = "audit:read"
	DirectoryRead   Action = "directory:read" // users, groups and memberships as the directory has them
	// DirectoryProvision is to make and revoke what opens Lanyard to the tenant's provisioning service.
	DirectoryProvision Action = "directory:provision"
	DecisionExplain    Action = "decision:explain"  // ask why, for oneself or others
	SelfView           Action = "self:view"         // who am I, through which groups
	SelfSignOut        Action = "self:signout"      // end one's own sign-in
	SelfConnect        Action = "self:connect"      // make or drop one's own connection to a Git host
	SelfRegistry       Action = "self:registry"     // see, store and drop one's own credentials for registries of images
	SelfStepUp         Action = "self:step-up"      // sign in again for something that one was refused
	SelfAuthorize      Action = "self:authorize"    // let a program act for oneself, or tell it who one is
	GrantList          Action = "grant:list"        // see requests and grants
	GrantRequest       Action = "grant:request"     // ask a person for approval
	GrantApprove       Action = "grant:approve"     // approve or refuse what another asked for
	GrantRevoke        Action = "grant:revoke"      // end a grant, or take a request back
	GrantDelegate      Action = "grant:delegate"    // give an AI agent a part of one's own rights
	GrantBreakGlass    Action = "grant:break-glass" // give a role without approval, for an hour at most and with an alarm
)

// ResourceKind says what kind of thing is asked for.
type ResourceKind string

const (
	KindInstallation ResourceKind = "installation" // Lanyard as a whole: its audit log, its leases
	KindProject      ResourceKind = "project"
	KindRepo         ResourceKind = "repo"
	KindApp          ResourceKind = "app"
	KindWorkspace    ResourceKind = "workspace"
	KindAudience     ResourceKind = "audience" // who takes a token, such as a cloud account or an internal service
	KindRegistry     ResourceKind = "registry" // of packages
	KindEgress       ResourceKind = "egress"   // a host and port beyond Lanyard
	KindUser         ResourceKind = "user"     // a person's own things: their leases, sign-ins, rights
	KindGrant        ResourceKind = "grant"    // a request or the grant made of it; its owner is whom it is for
)

// Resource is what is asked for. A Resource is comparable.
type Resource struct {
	Kind ResourceKind
	// Name: a repository's canonical URL, an app's, registry's or audience's name, host:port of an egress, a workspace's ID, a user's key, a project's ID;
	// empty for the installation.
	Name    string
	Project ProjectID // the project it belongs to; empty where it belongs to none
	Owner   UserID    // a workspace's owner, or the user that a KindUser resource is about; zero elsewhere
}

// Installation is the resource that stands for Lanyard as a whole.
func Installation() Resource { return Resource{Kind: KindInstallation} }

// Own is the resource that stands for a person's own things.
func Own(u UserID) Resource { return Resource{Kind: KindUser, Name: u.Key(), Owner: u} }

// String prints kind and name, for logs and messages.
func (r Resource) String() string {
	if r.Name == "" {
		return string(r.Kind)
	}
	return string(r.Kind) + " " + r.Name
}
