package agentapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// How an agent asks the server for a connection beyond Lanyard: GET EgressPath with EgressTarget, upgraded to EgressProtocol.
// The answer is 101 and then the bytes of the connection, or a problem document.
const (
	EgressPath     = "/egress"
	EgressTarget   = "Lanyard-Target" // header: host:port
	EgressProtocol = "lanyard-egress"
)

// Refusal is a connection that the server refused or closed after it was made, for the workspace's own log.
type Refusal struct {
	Target string `json:"target"` // host:port
	Why    string `json:"why"`
}

// Refused writes to the workspace's own log what became of a connection.
func (c Client) Refused(ctx context.Context, one Refusal) error {
	body, err := json.Marshal(one)
	if err != nil {
		return fmt.Errorf("workspace: %w", err)
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/refused", body)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
