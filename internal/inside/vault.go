package inside

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// vaultLogin is what is asked of Vault.
type vaultLogin struct{ address, namespace, mount, role, audience string }

func (a *app) loginVault() *cobra.Command {
	var v vaultLogin
	cmd := &cobra.Command{
		Use:   "vault --role NAME",
		Short: "Sign in to Vault, so that its tools and libraries find a token",
		Long: `Sign in to Vault's JWT method at $VAULT_ADDR, and keep Vault's token where its tools look for one (~/.vault-token), in
memory: that is a link to a file beside the workspace's socket, gone when the workspace stops. How long Vault's token is
good for, Vault's role says.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v.address, v.namespace = strings.TrimRight(a.c.Env("VAULT_ADDR"), "/"), a.c.Env("VAULT_NAMESPACE")
			v.role = a.orEnv(v.role, "IDP_VAULT_ROLE")
			switch {
			case v.role == "":
				return usage("say which role with --role, or in IDP_VAULT_ROLE")
			case v.address == "":
				return usage("say where Vault is in VAULT_ADDR, such as https://vault.example.com:8200")
			}
			t, err := a.mint(cmd.Context(), api.TokenOrder{Audience: v.audience, Gitpod: true})
			if err != nil {
				return err
			}
			token, life, err := v.signIn(cmd.Context(), t.Token)
			if err != nil {
				return err
			}
			link, err := a.keepVaultToken(token)
			if err != nil {
				return fmt.Errorf("keep Vault's token: %w", err)
			}
			fmt.Fprintf(a.c.Stdout, "Signed in to Vault as %s for %s; its tools find the token in %s.\n", clean(v.role), life, clean(link))
			return nil
		},
	}
	cmd.Flags().StringVar(&v.role, "role", "", "the `name` of Vault's role (default $IDP_VAULT_ROLE)")
	cmd.Flags().StringVar(&v.audience, "audience", audienceVault, "the `name` or aud of the audience that the role is bound to")
	cmd.Flags().StringVar(&v.mount, "path", "jwt", "where Vault's JWT method is mounted (`path`)")
	return cmd
}

// signIn exchanges a token: https://developer.hashicorp.com/vault/api-docs/auth/jwt#jwt-login
func (v vaultLogin) signIn(ctx context.Context, jwt string) (token string, life time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	body, err := json.Marshal(map[string]string{"role": v.role, "jwt": jwt})
	if err != nil {
		return "", 0, fmt.Errorf("encode the request: %w", err)
	}
	address := v.address + "/v1/auth/" + strings.Trim(v.mount, "/") + "/login"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return "", 0, usage("Vault's address %q: %v", address, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Vault-Request", "true")
	if v.namespace != "" {
		r.Header.Set("X-Vault-Namespace", v.namespace)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", 0, problem.Wrap(err, problem.Unavailable, "Vault cannot be reached at %s from this workspace: %v. Workspaces reach only what their project allows.", v.address, unwrapped(err))
	}
	defer answer.Body.Close()
	var got struct {
		Auth struct {
			Token   string `json:"client_token"`
			Seconds int    `json:"lease_duration"`
		} `json:"auth"`
		Errors []string `json:"errors"`
	}
	err = json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&got)
	if answer.StatusCode >= 300 {
		return "", 0, problem.New(problem.Denied, "Vault refused: %s %s", answer.Status, strings.Join(got.Errors, "; "))
	}
	if err != nil || got.Auth.Token == "" {
		return "", 0, fmt.Errorf("the answer of Vault holds no token: %w", err)
	}
	return got.Auth.Token, time.Duration(got.Auth.Seconds) * time.Second, nil
}

// keepVaultToken puts the token into the private folder and leads ~/.vault-token there.
func (a *app) keepVaultToken(token string) (link string, err error) {
	file := filepath.Join(filepath.Dir(a.socket()), "vault-token")
	if err := replaceFile(file, token); err != nil {
		return "", err
	}
	link = filepath.Join(a.c.Env("HOME"), ".vault-token")
	fresh := link + ".lanyard"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.Symlink(file, fresh); err != nil {
		return "", err
	}
	return link, os.Rename(fresh, link)
}
