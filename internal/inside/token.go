package inside

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) token() *cobra.Command {
	var order api.TokenOrder
	var decode, asJSON, list bool
	cmd := &cobra.Command{
		Use:   "token (--audience NAME | --list)",
		Short: "Print a token that says who is calling, for an audience that the project declares",
		Long: `Print a token (JWT) that says who is calling: the person and the roles, the project and the repository, this workspace,
and how and when the person signed in. The project's file says for which audiences, a policy who may have one
(token:mint). "lanyard token --list" shows them.

A token lives for minutes. Ask for a new one rather than keeping it.`,
		Example: `  curl -H "Authorization: Bearer $(lanyard token --audience ledger)" https://ledger.example.test/
  lanyard token --audience aws --decode`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list {
				return a.listAudiences(cmd.Context(), asJSON)
			}
			if order.Audience == "" {
				return a.noAudience(cmd.Context())
			}
			return a.printToken(cmd.Context(), order, decode, asJSON)
		},
	}
	cmd.Flags().StringVar(&order.Audience, "audience", "", "who will take the token: the `name` of an audience of the project, or its aud")
	cmd.Flags().StringVar(&order.MayAct, "may-act", "", "who alone may exchange the token for one of their own: agent:`NAME`, or client:ID")
	cmd.Flags().BoolVar(&decode, "decode", false, "print header and claims instead of the token")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the token with its end, or the list, as JSON")
	cmd.Flags().BoolVar(&list, "list", false, "list the audiences instead")
	cmd.MarkFlagsMutuallyExclusive("decode", "json")
	cmd.MarkFlagsMutuallyExclusive("list", "audience")
	cmd.MarkFlagsMutuallyExclusive("list", "decode")
	_ = cmd.RegisterFlagCompletionFunc("audience", a.completeAudiences) // fails for an unknown flag only
	return cmd
}

// listAudiences shows the audiences, and whether there would be a token now.
func (a *app) listAudiences(ctx context.Context, asJSON bool) error {
	all, err := a.declared(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return a.json(api.Page[api.TokenAudience]{Items: all})
	}
	w := tabwriter.NewWriter(a.c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AUDIENCE\tAUD\tKIND\tLIFETIME\tNOW\tFILE")
	for _, d := range all {
		file := "-"
		if d.File != nil {
			file = "for " + d.File.For
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", clean(d.Name), clean(d.Value), clean(d.Kind), time.Duration(d.Seconds)*time.Second, clean(d.Decision), clean(file))
	}
	return w.Flush()
}

// mint asks for a token.
func (a *app) mint(ctx context.Context, order api.TokenOrder) (t api.Token, err error) {
	return t, a.do(ctx, http.MethodPost, "/token", order, &t)
}

// declared are the audiences of the project that who asks may know of.
func (a *app) declared(ctx context.Context) ([]api.TokenAudience, error) {
	var page api.Page[api.TokenAudience]
	err := a.do(ctx, http.MethodGet, "/token/audiences", nil, &page)
	return page.Items, err
}

// noAudience says which audiences could have been named.
func (a *app) noAudience(ctx context.Context) error {
	all, err := a.declared(ctx)
	if err != nil {
		return usage("say who will take the token: --audience NAME")
	}
	if len(all) == 0 {
		return usage("say who will take the token with --audience; you may get none in this workspace: the project's file declares audiences under resources, and a policy says who gets their tokens (token:mint)")
	}
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
	}
	return usage("say who will take the token: --audience NAME, one of %s", strings.Join(names, ", "))
}

func (a *app) printToken(ctx context.Context, order api.TokenOrder, decode, asJSON bool) error {
	t, err := a.mint(ctx, order)
	if err != nil {
		return err
	}
	switch {
	case decode:
		return a.decoded(t.Token)
	case asJSON:
		return a.json(t)
	}
	fmt.Fprint(a.c.Stdout, t.Token)
	if f, ok := a.c.Stdout.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		fmt.Fprintln(a.c.Stdout)
	}
	return nil
}

// decoded prints what a token says. Nothing is verified: it came from the server just now.
func (a *app) decoded(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return fmt.Errorf("the server's token is no JWT")
	}
	var said struct {
		Header  json.RawMessage
		Payload json.RawMessage
	}
	for i, into := range []*json.RawMessage{&said.Header, &said.Payload} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return fmt.Errorf("the server's token is no JWT: %w", err)
		}
		*into = text
	}
	e := json.NewEncoder(a.c.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(said)
}

// json prints a value as one line.
func (a *app) json(v any) error {
	e := json.NewEncoder(a.c.Stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// completeWithin bounds how long a shell waits at the press of a key.
const completeWithin = time.Second

func (a *app) completeAudiences(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	all, err := a.declared(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, d := range all {
		names = append(names, clean(d.Name))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
