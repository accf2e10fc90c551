package agentapi

// FilterFile is where a runtime may put the filter of system calls that the agent takes on first.
const FilterFile = "/opt/lanyard/seccomp"
