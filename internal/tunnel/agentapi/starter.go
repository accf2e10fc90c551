package agentapi

// StarterEnv names the variable that holds the descriptor of a socket to whoever started the agent, where that is a
// process of the same machine. The agent writes StarterReady to it once it listens, and goes on only when StarterGo
// comes back: a starter that died before it noted down what it started leaves nothing running.
const StarterEnv = "LANYARD_STARTER_FD"

// What the two sides of the starter's socket say.
const (
	StarterReady = "ready\n"
	StarterGo    = "go\n"
)
