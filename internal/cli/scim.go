package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) scim() *cobra.Command {
	cmd := family("scim", "Let the tenant's provisioning service reach Lanyard, and see how it does",
		a.scimStatus(), a.scimForget(),
		family("secret", "Make, list and revoke the secrets of provisioning services", a.scimSecretCreate(), a.scimSecretList(), a.scimSecretRevoke()))
	cmd.Long = `The tenant's provisioning service (SCIM 2.0) tells Lanyard who is enabled and, with directory: {members: scim}, who is in
which group. docs/directory.md lists the steps in Entra.`
	cmd.Example = `  lanyard scim secret create --name entra --kind client
  lanyard scim status`
	return cmd
}

func (a *app) scimStatus() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Say how provisioning stands, and what is to be mended",
		Example: "  lanyard scim status\n  lanyard scim status --json | jq '.findings[] | select(.problem)'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			p, err := r.Provisioning(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(p)
			}
			a.showProvisioning(p)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

func (a *app) showProvisioning(p api.Provisioning) {
	a.out.line("Tenant URL      %s", p.TenantURL)
	a.out.line("Token endpoint  %s", p.TokenEndpoint)
	switch {
	case p.Users:
		a.out.line("It says         who there is, who is enabled, and who is in which group")
	case p.Members:
		a.out.line("It says         who is enabled, and who is in which group")
	default:
		a.out.line("It says         who is enabled; memberships come from elsewhere")
	}
	last := "never"
	if p.LastUse != nil {
		last = age(*p.LastUse, a.c.Now()) + " ago"
	}
	a.out.line("Last heard of   %s", last)
	a.out.line("Users           %d, %d of them disabled", p.UserCount, p.Inactive)
	a.out.line("Groups          %d with %d memberships", p.GroupCount, p.Memberships)
	if len(p.Findings) > 0 {
		a.out.line("")
	}
	for _, f := range p.Findings {
		mark := "note   "
		if f.Problem {
			mark = "PROBLEM"
		}
		a.out.line("%s  %s", mark, f.Text)
	}
}

func (a *app) scimForget() *cobra.Command {
	return &cobra.Command{
		Use: "forget USER", Short: "Forget a user that the provisioning service deleted, who is disabled because of that",
		Long: `Who is deleted by the provisioning service stays disabled as long as the directory has them from elsewhere. After this
only the directory says whether they are enabled.`,
		Example: "  lanyard scim forget ada@contoso.example",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			if err := r.ForgetProvisioned(cmd.Context(), args[0]); err != nil {
				return err
			}
			a.out.line("forgotten")
			return nil
		},
	}
}

func (a *app) scimSecretCreate() *cobra.Command {
	var n api.NewProvisioningSecret
	var asJSON bool
	cmd := &cobra.Command{
		Use: "create --name NAME", Short: "Make a secret; it is shown this once",
		Long: `Makes a secret and prints it; Lanyard keeps only its hash. Several may be active at once, so that one can take the
other's place without a pause.

A secret of kind bearer is what Entra calls Secret Token, and is sent with each request. One of kind client is entered as
client ID and client secret, and is exchanged for tokens that live an hour.`,
		Example: `  lanyard scim secret create --name entra
  lanyard scim secret create --name entra --kind client --days 180 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n.Name == "" {
				return usage("what will use the secret? Name it with --name")
			}
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			m, err := r.NewProvisioningSecret(cmd.Context(), n)
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(m)
			}
			a.showMadeSecret(m)
			return nil
		},
	}
	cmd.Flags().StringVar(&n.Name, "name", "", "what will use it: a `name` for people")
	cmd.Flags().StringVar(&n.Kind, "kind", "bearer", "bearer or client")
	cmd.Flags().IntVar(&n.Days, "days", 365, "for how many `days` it may be used; 0: for ever")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"bearer", "client"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) showMadeSecret(m api.MadeProvisioningSecret) {
	a.out.line("Tenant URL      %s", m.TenantURL)
	if m.Kind == "client" {
		a.out.line("Token endpoint  %s", m.TokenEndpoint)
		a.out.line("Client ID       %s", m.ID)
		a.out.line("Client secret   %s", m.Secret)
	} else {
		a.out.line("Secret token    %s", m.Secret)
	}
	if m.Expires != nil {
		a.out.line("Expires         %s", m.Expires.Local().Format("2006-01-02"))
	}
	a.out.line("")
	a.out.line("Enter these in Entra now: the secret is shown this once.")
}

func (a *app) scimSecretList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the secrets, and when each was used last", Example: "  lanyard scim secret list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			p, err := r.Provisioning(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(p.Secrets)
			}
			if len(p.Secrets) == 0 {
				a.out.line("There are no secrets. `lanyard scim secret create --name entra` makes one.")
				return nil
			}
			rows := [][]string{}
			for _, s := range p.Secrets {
				used, expires := "never", "never"
				if s.Used != nil {
					used = strings.TrimSpace(age(*s.Used, a.c.Now()) + " ago " + s.From)
				}
				if s.Expires != nil {
					expires = s.Expires.Local().Format("2006-01-02")
				}
				rows = append(rows, []string{s.ID, s.Name, s.Kind, s.State, used, expires})
			}
			a.out.table([]string{"ID", "NAME", "KIND", "STATE", "USED", "EXPIRES"}, rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects")
	return cmd
}

func (a *app) scimSecretRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke SECRET", Short: "Revoke a secret, by its ID or its name, and the tokens it was exchanged for",
		Example: "  lanyard scim secret revoke sc-abcdefghijklmnop", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			s, err := r.RevokeProvisioningSecret(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			a.out.line("revoked %s (%s)", s.ID, s.Name)
			return nil
		},
	}
}
