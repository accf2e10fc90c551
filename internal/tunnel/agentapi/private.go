package agentapi

// PrivateFolder is where, in a workspace, stands what only its user may reach: the socket of the commands lanyard and gp,
// and tokens. It is in memory.
const PrivateFolder = "/run/workspace"

// PrivateSocket is the name of the socket in that folder.
const PrivateSocket = "lanyard.sock"

// SocketEnv names the variable of a workspace's processes with the path of that socket. LANYARD_SOCKET is the operator's, on
// the server's machine.
const SocketEnv = "LANYARD_WORKSPACE_SOCKET"

// CommandFolder is where the commands lanyard and gp are, in a workspace.
const CommandFolder = "/opt/lanyard/bin"
