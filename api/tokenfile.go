package api

// TokenFile says what a workspace keeps for programs that look for an audience's tokens by themselves.
type TokenFile struct {
	For            string `json:"for" doc:"aws, azure, google, kubernetes, or programs"`
	Holds          bool   `json:"holds_token" doc:"Whether there is a token in the file, and not only how to ask for one"`
	Role           string `json:"role,omitempty" doc:"AWS: the role to assume"`
	Region         string `json:"region,omitempty" doc:"AWS"`
	Client         string `json:"client_id,omitempty" doc:"Azure: the application with the federated credential"`
	Tenant         string `json:"tenant_id,omitempty" doc:"Azure: its tenant"`
	ServiceAccount string `json:"service_account,omitempty" doc:"Google: to act as"`
	Server         string `json:"server,omitempty" doc:"Kubernetes: the API server"`
	Authority      string `json:"authority,omitempty" doc:"Kubernetes: who signed its certificate, as PEM text"`
}
