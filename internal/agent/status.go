package agent

import (
	"encoding/json"
	"net/http"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func (a *Agent) serveStatus(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	s := agentapi.Status{Build: a.config.Build, Start: a.startID, Name: a.name, Ready: a.done}
	a.mu.Unlock()
	s.Terminals = a.terminals.names()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // the server is gone if this fails
}
