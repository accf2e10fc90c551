package agentapi

import "context"

// PortState is a port on which something listens in the workspace, or of which its plan speaks.
type PortState struct {
	Port      int    `json:"port"`
	Listening bool   `json:"listening"`
	Loopback  bool   `json:"loopback,omitempty"` // it listens on loopback only
	Name      string `json:"name,omitempty"`
	OnOpen    string `json:"onOpen,omitempty"`
	Protocol  string `json:"protocol,omitempty"`
	Text      string `json:"description,omitempty"`
}

// PortUnlisted is the OnOpen of ports that lists leave out.
const PortUnlisted = "ignore"

// Ports are those on which something listens, and those of the plan that stand alone, by number. The agent's own is not
// among them.
func (c Client) Ports(ctx context.Context) ([]PortState, error) {
	var list []PortState
	if err := c.get(ctx, "/v1/ports", &list); err != nil {
		return nil, err
	}
	return boundPorts(list), nil
}

func boundPorts(list []PortState) []PortState {
	list = list[:min(len(list), maxStates)]
	for i := range list {
		p := &list[i]
		p.Name, p.Text = plain(cut(p.Name, maxTitle)), plain(cut(p.Text, maxText))
		p.OnOpen, p.Protocol = plain(cut(p.OnOpen, maxTitle)), plain(cut(p.Protocol, maxTitle))
	}
	return list
}
