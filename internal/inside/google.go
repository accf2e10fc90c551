package inside

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

// googleAudience names the variable in which Google's libraries tell a program the audience that they want a token for.
const googleAudience = "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE"

// googleAnswer is what Google's libraries read of a program: https://google.aip.dev/auth/4117. A refusal goes the same way,
// with exit status 0: they read no answer of a program that failed.
type googleAnswer struct {
	Version   int    `json:"version"`
	Success   bool   `json:"success"`
	TokenType string `json:"token_type,omitempty"`
	Token     string `json:"id_token,omitempty"`
	Expires   int64  `json:"expiration_time,omitempty"` // seconds since 1970
	Code      string `json:"code,omitempty"`
	Message   string `json:"message,omitempty"`
}

const googleLong = `Print a token for a workload identity provider in the form that Google's libraries read of a program (an "executable
source" of an external account). They say which provider in ` + googleAudience + `.

They may keep answers in a file that GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE names; this command writes none, so that no token is
on a disk, and is asked each time instead.`

func (a *app) googleCredential() *cobra.Command {
	var audience string
	cmd := &cobra.Command{
		Use:   "google-credential [--audience NAME]",
		Short: "Be the program that Google's libraries ask for tokens",
		Long: googleLong + ` With "file: {for: google}" at the audience in the project's file,
workspaces have a configuration of theirs that calls it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.forGoogle(cmd.Context(), api.TokenOrder{Audience: audience})
		},
	}
	cmd.Flags().StringVar(&audience, "audience", "", "the `name` of the provider's audience (default: what $"+googleAudience+" says)")
	_ = cmd.RegisterFlagCompletionFunc("audience", a.completeAudiences) // fails for an unknown flag only
	return cmd
}

func (a *app) forGoogle(ctx context.Context, order api.TokenOrder) error {
	wanted := a.c.Env(googleAudience)
	if order.Audience == "" {
		order.Audience = wanted
	}
	if order.Audience == "" {
		return usage("say for which provider: --audience NAME, or %s in the environment", googleAudience)
	}
	t, err := a.mint(ctx, order)
	if err != nil {
		a.report(err)
		return a.json(googleAnswer{Version: 1, Code: kindOf(err).String(), Message: clean(err.Error())})
	}
	if wanted != "" && strings.TrimPrefix(t.Value, "https:") != strings.TrimPrefix(wanted, "https:") {
		return a.json(googleAnswer{Version: 1, Code: "audience", Message: "the provider is " + wanted + ", and the audience " + order.Audience + " of this project is " + t.Value})
	}
	return a.json(googleAnswer{Version: 1, Success: true, TokenType: "urn:ietf:params:oauth:token-type:jwt", Token: t.Token, Expires: t.Expires.Unix()})
}
