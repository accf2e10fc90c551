package identity

// PrincipalKind says what kind of party asks. The zero kind is anonymous, who may do nothing that is not public.
type PrincipalKind uint8

const (
	Anonymous PrincipalKind = iota // nobody verified
	Person                         // a user
	Service                        // a part of Lanyard acting for itself: provisioning, sync
	Operator                       // the owner of the server's Unix socket
	AIAgent                        // an AI agent that acts for a user
)

func (k PrincipalKind) String() string {
	switch k {
	case Person:
		return "user"
	case Service:
		return "service"
	case Operator:
		return "operator"
	case AIAgent:
		return "AI agent"
	default:
		return "anonymous"
	}
}

// PrebuildService is the name of the service that makes a project's prebuilds.
func PrebuildService(project string) string { return "prebuild:" + project }

// WarmService is the name of the service that makes a project's workspaces ahead.
func WarmService(project string) string { return "warm:" + project }

// Principal is who asks, as the connection or the credential proved it.
type Principal struct {
	Kind    PrincipalKind
	User    UserID    // who the person is, or for whom the AI agent acts; zero for services, the operator and anonymous
	Session SessionID // the session that identified them; zero for services, the operator and anonymous
	// Workspace and Project are set for a workspace's session. Project is then its ceiling: its rights are
	// its user's within that project and nothing beyond.
	Workspace WorkspaceID
	Project   ProjectID
	Service   string // the service's name
	// Repository is the one repository that a service acts for, by its canonical URL: of all repositories it reads that one,
	// and writes none.
	Repository string
	// Agent and Delegation are set for an AI agent: its own name, and the grant that says which part of the user's
	// rights it has.
	Agent      string
	Delegation GrantID
}
