package inside

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

// execVersions are the versions of client-go's protocol whose answers are the same for a token:
// https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
var execVersions = []string{"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}

// execInfo names the variable in which client-go says what it wants.
const execInfo = "KUBERNETES_EXEC_INFO"

func (a *app) kubectlCredential() *cobra.Command {
	var audience string
	cmd := &cobra.Command{
		Use:   "kubectl-credential --audience NAME",
		Short: "Be kubectl's exec plugin: print a token for a cluster as an ExecCredential",
		Long: `Print a token for a cluster's audience as an ExecCredential, as kubectl and all programs made with client-go ask for it.
With "file: {for: kubernetes, server: …}" at the audience in the project's file, workspaces have a configuration of kubectl
that calls it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if audience == "" {
				return a.noAudience(cmd.Context())
			}
			version, err := a.execVersion()
			if err != nil {
				return err
			}
			t, err := a.mint(cmd.Context(), api.TokenOrder{Audience: audience})
			if err != nil {
				return err
			}
			return a.json(execCredential{Version: version, Kind: "ExecCredential", Status: execStatus{Expires: t.Expires.UTC().Truncate(time.Second), Token: t.Token}})
		},
	}
	cmd.Flags().StringVar(&audience, "audience", "", "the `name` of the cluster's audience")
	_ = cmd.RegisterFlagCompletionFunc("audience", a.completeAudiences) // fails for an unknown flag only
	return cmd
}

type execCredential struct {
	Version string     `json:"apiVersion"`
	Kind    string     `json:"kind"`
	Status  execStatus `json:"status"`
}

type execStatus struct {
	Expires time.Time `json:"expirationTimestamp"`
	Token   string    `json:"token"`
}

func (a *app) execVersion() (string, error) {
	said := a.c.Env(execInfo)
	if said == "" {
		return execVersions[0], nil
	}
	var asked struct {
		Version string `json:"apiVersion"`
	}
	if err := json.Unmarshal([]byte(said), &asked); err != nil || !slices.Contains(execVersions, asked.Version) {
		return "", usage("%s asks for %q; this command speaks %s and %s", execInfo, asked.Version, execVersions[0], execVersions[1])
	}
	return asked.Version, nil
}
