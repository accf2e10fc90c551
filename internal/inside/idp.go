package inside

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

// The audiences that Gitpod's helpers ask for by themselves.
const (
	audienceAWS   = "sts.amazonaws.com"
	audienceVault = "vault.hashicorp.com"
)

func (a *app) idp() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "idp",
		Short: "Tokens that say who is calling, with the claims that Gitpod's had",
		Long: `Tokens that say who is calling, with the claims that Gitpod's workspace tokens had: a trust policy moves by changing the
issuer. The project's file declares the audiences. Such a token lives for minutes; Gitpod's lived for an hour.`,
		Args: known, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	login := &cobra.Command{
		Use: "login", Short: "Sign in to AWS or Vault with such a token", Args: known, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	login.AddCommand(a.loginAWS(), a.loginVault())
	cmd.AddCommand(a.idpToken(), login, a.gcloudToken())
	return cmd
}

func (a *app) idpToken() *cobra.Command {
	var audiences []string
	var scope string
	var decode, asJSON bool
	cmd := &cobra.Command{
		Use:   "token --audience AUD",
		Short: "Print a token for an audience",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch len(audiences) {
			case 0:
				return a.noAudience(cmd.Context())
			case 1:
			default:
				return usage("a token is for one audience, so that none of its receivers can use it at another; ask for one each: %s", strings.Join(audiences, ", "))
			}
			return a.printToken(cmd.Context(), api.TokenOrder{Audience: audiences[0], Scope: scope, Gitpod: true}, decode, asJSON)
		},
	}
	cmd.Flags().StringArrayVar(&audiences, "audience", nil, "who will take the token (`aud`)")
	cmd.Flags().StringVar(&scope, "scope", "", "a `scope` to stand in the token")
	cmd.Flags().BoolVar(&decode, "decode", false, "print header and claims instead of the token")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the token with its end as JSON")
	cmd.MarkFlagsMutuallyExclusive("decode", "json")
	_ = cmd.RegisterFlagCompletionFunc("audience", a.completeAudiences) // fails for an unknown flag only
	return cmd
}

func (a *app) gcloudToken() *cobra.Command {
	return &cobra.Command{
		Use: "gcloud-token", Short: "Be the program that Google's libraries ask for tokens", Long: googleLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.forGoogle(cmd.Context(), api.TokenOrder{Gitpod: true})
		},
	}
}

// orEnv is a flag's value, or else that of an environment variable.
func (a *app) orEnv(value, name string) string {
	if value != "" {
		return value
	}
	return a.c.Env(name)
}
