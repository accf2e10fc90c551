package api

import "time"

// Why explains a decision.
type Why struct {
	Decision string    `json:"decision" doc:"allow or deny"`
	Action   string    `json:"action"`
	Resource string    `json:"resource"`
	User     string    `json:"user,omitempty"`
	UserName string    `json:"user_name,omitempty"`
	Code     string    `json:"code,omitempty" doc:"Kind of a denial"`
	Project  string    `json:"project,omitempty"`
	Role     string    `json:"role,omitempty"`
	Via      string    `json:"via,omitempty"`
	Path     []string  `json:"path,omitempty"`
	Reasons  []string  `json:"reasons"`
	Policies []string  `json:"policies"`
	Facts    []string  `json:"facts" doc:"The facts that were read, a sentence each"`
	Until    time.Time `json:"until,omitzero" doc:"When time alone would change it"`
}
