package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/registration"
	"github.com/lanyardhq/lanyard/internal/signin"
)

// setupOptions are the flags of `lanyard entra setup`.
type setupOptions struct {
	config, name                string
	admins, auditors, assign    []string
	certificate, federated      string
	provisioning                bool
	dryRun, script, yes, json   bool
	tenant, tokenFile, signInAs string
	device                      bool
	wait                        time.Duration
}

func (a *app) entraSetup() *cobra.Command {
	var o setupOptions
	cmd := &cobra.Command{
		Use:   "setup --config FILE",
		Short: "Register Lanyard in the tenant, and write that into the configuration",
		Long: `Registers Lanyard through Microsoft Graph: the app registration with its redirect addresses, claims and app roles, the
enterprise application that only who is assigned to it may sign in to, the permissions that Lanyard needs with consent to
them, a certificate or a federated credential, and the first administrator. It shows a plan and asks before it changes
anything, waits until the tenant knows everywhere what was made, and writes the entra part of the configuration.

The configuration may lack its entra part. Run again, setup changes what differs and nothing else; when it was
interrupted, it goes on. It acts with your own rights: by a token of the Azure CLI where you are signed in there, else
by a code that you enter in a browser (--device), or by a token in a file (--token-file). Whoever runs it needs the role
Cloud Application Administrator, and Privileged Role Administrator to grant the permissions; without that, it says
where somebody else may do so.`,
		Example: `  lanyard entra setup --config /etc/lanyard/lanyard.yaml --dry-run
  lanyard entra setup --config /etc/lanyard/lanyard.yaml --assign engineering
  lanyard entra setup --config /etc/lanyard/lanyard.yaml --az > register.sh`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.config == "":
				return usage("which configuration? Name its file with --config; docs/entra.md says what it holds")
			case o.certificate != "" && o.federated != "":
				return usage("a certificate or a federated token: choose one of them")
			case o.wait <= 0:
				return usage("the tenant needs some time: write --wait 2m")
			case o.device && o.tokenFile != "":
				return usage("a token from a file, or one by a code in a browser: choose one of them")
			}
			return a.setUp(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "the configuration `file` (lanyard.yaml)")
	f.StringVar(&o.name, "name", "Lanyard", "call the app registration by this `name`")
	f.StringArrayVar(&o.admins, "admin", nil, "let this `user or group` administer Lanyard (default: you)")
	f.StringArrayVar(&o.auditors, "auditor", nil, "let this `user or group` read Lanyard's audit log")
	f.StringArrayVar(&o.assign, "assign", nil, "let this `user or group` sign in")
	f.StringVar(&o.certificate, "certificate", "", "prove Lanyard by the certificate and key in this `file`, which is made if it is not there (default entra.pem beside the configuration)")
	f.StringVar(&o.federated, "federated-token-file", "", "prove Lanyard by the token that something else keeps in this `file`")
	f.BoolVar(&o.provisioning, "provisioning", false, "make the second enterprise application, for provisioning by SCIM")
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	f.BoolVar(&o.script, "az", false, "print the plan as commands of the Azure CLI and change nothing")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.BoolVar(&o.json, "json", false, "print the plan, or what was done, as JSON")
	f.StringVar(&o.tenant, "tenant", "", "sign in to this `tenant` (default: the configuration's, else the one that you are signed in to)")
	f.StringVar(&o.tokenFile, "token-file", "", "use the access token for Microsoft Graph in this `file`; - is standard input")
	f.BoolVar(&o.device, "device", false, "sign in by a code in a browser, also where the Azure CLI is there")
	f.DurationVar(&o.wait, "wait", 2*time.Minute, "wait this `long` for the tenant to know everywhere what was made")
	f.StringVar(&o.signInAs, "sign-in-client", graphTools, "sign in by a code as this public `client`")
	return cmd
}

// setUp plans, asks and does.
func (a *app) setUp(ctx context.Context, o setupOptions) error {
	c, err := config.ReadDraft(o.config)
	if err != nil {
		return err
	}
	if c.OIDC != nil {
		return usage("%s lets people sign in at another OpenID provider than Entra (oidc); there is nothing to register in Entra", o.config)
	}
	wanted, write, err := a.wanted(c, o)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(o.config)
	if err != nil {
		return err
	}
	web := tenantClient()
	defer web.CloseIdleConnections()
	token, err := a.graphToken(o, c.Entra, web)
	if err != nil {
		return err
	}
	setup, err := registration.New(registration.Config{
		Wanted: wanted, Graph: c.Entra.Graph, Token: token, HTTP: web,
		NotesFile: filepath.Join(filepath.Dir(absolute), "."+filepath.Base(absolute)+".setup"),
		Patience:  o.wait,
		Waits:     func(what string) { a.err.line("  waiting for %s …", what) },
	})
	if err != nil {
		return err
	}
	plan, err := setup.Plan(ctx)
	if err != nil {
		return err
	}
	if c.Entra.Tenant != "" && !strings.EqualFold(string(c.Entra.Tenant), plan.Tenant.ID) {
		return usage("you are signed in to the tenant %s (%s), and the configuration is for %s", plan.Tenant.Domain, plan.Tenant.ID, string(c.Entra.Tenant))
	}
	switch {
	case o.script:
		text, err := plan.Script(c.Entra.Graph)
		if err != nil {
			return err
		}
		fmt.Fprint(a.out, text)
		return nil
	case o.dryRun && o.json:
		return a.out.json(plan)
	}
	if !o.json {
		a.showPlan(plan, c, o)
	}
	if o.dryRun {
		return nil
	}
	if len(plan.Steps) > 0 && !o.yes {
		if err := a.ask(); err != nil {
			return err
		}
	}
	done, err := setup.Apply(ctx, func(s registration.Step) {
		if !o.json {
			a.out.line("done: %s", s.Says)
		}
	})
	if err != nil {
		return err
	}
	write.Tenant, write.ClientID = done.Tenant.ID, done.ClientID
	changed, err := config.WriteEntra(o.config, write)
	if err != nil {
		return err
	}
	if err := setup.Finish(); err != nil {
		return err
	}
	if o.json {
		return a.out.json(struct {
			registration.Done
			Config  string `json:"config"`
			Changed bool   `json:"changed"` // the configuration was
		}{done, o.config, changed})
	}
	a.showDone(done, c, o, changed)
	return nil
}

// wanted is what the tenant shall hold for this configuration, and what is to be written into that.
func (a *app) wanted(c *config.Config, o setupOptions) (registration.Wanted, config.Registration, error) {
	write := config.Registration{Admin: registration.AdminRole, Auditor: registration.AuditorRole}
	members := c.Directory.Members
	application, delegated := registration.Permissions(registration.Reads{
		Users: members == config.FromGraph || members == config.FromSCIM && c.Directory.Users == config.FromGraph, Groups: members == config.FromGraph,
		SignIns: members != config.FromSignIn && c.Entra.SignInLog != config.NoSignInLog, People: members == config.FromSignIn,
	})
	w := registration.Wanted{
		Name: o.name, URL: c.URL, RedirectURIs: []string{c.URL + signin.RedirectPath, c.URL + signin.LogoutPath}, LogoutURL: c.URL + signin.FrontChannelPath,
		ClientID: c.Entra.ClientID, GroupClaims: members == config.FromSignIn,
		Application: application, Delegated: delegated, Roles: registration.Roles(),
	}
	base := filepath.Dir(c.File)
	files := slices.Clone(c.Entra.Credentials)
	add := credential.Files{FederatedToken: o.federated}
	if o.federated == "" && (o.certificate != "" || len(files) == 0) {
		path := cmp.Or(o.certificate, "entra.pem")
		add = credential.Files{Certificate: path, Key: path}
	}
	if add != (credential.Files{}) {
		absolute, err := absoluteFiles(base, add)
		if err != nil {
			return w, write, err
		}
		if !slices.Contains(files, absolute) {
			write.Credentials = append(slices.Clone(files), add) // a whole list is written
			files = append(files, absolute)
		}
	}
	like := o.config
	if _, err := os.Stat(c.EncryptionKeyFile); err == nil {
		like = c.EncryptionKeyFile // it is read by the same user
	}
	for _, f := range files {
		w.Credentials = append(w.Credentials, registration.Credential{Files: f, Owner: func(file *os.File) error { return config.GiveLike(file, like) }})
	}
	if len(o.admins) == 0 {
		w.Me = registration.AdminRole
	}
	for role, who := range map[string][]string{registration.AdminRole: o.admins, registration.AuditorRole: o.auditors, "": o.assign} {
		for _, one := range who {
			w.Assign = append(w.Assign, registration.Assign{Who: one, Role: role})
		}
	}
	slices.SortFunc(w.Assign, func(x, y registration.Assign) int {
		return cmp.Or(-cmp.Compare(x.Role, y.Role), cmp.Compare(x.Who, y.Who))
	})
	if o.provisioning {
		w.Provisioning = &registration.Provisioning{Name: o.name + " provisioning", TenantURL: c.URL + "/scim/v2", Secret: a.provisioningSecret(c)}
	}
	return w, write, nil
}

func absoluteFiles(base string, f credential.Files) (credential.Files, error) {
	for _, path := range []*string{&f.FederatedToken, &f.Certificate, &f.Key} {
		if *path == "" {
			continue
		}
		if !filepath.IsAbs(*path) {
			*path = filepath.Join(base, *path)
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return f, err
		}
		*path = absolute
	}
	return f, nil
}

func (a *app) showPlan(p registration.Plan, c *config.Config, o setupOptions) {
	as := ""
	if p.As != "" {
		as = ", as " + p.As
	}
	a.out.line("Tenant %s (%s)%s", cmp.Or(p.Tenant.Domain, p.Tenant.Name), p.Tenant.ID, as)
	a.out.line("Lanyard at %s", c.URL)
	a.out.line("")
	n := 0
	for _, s := range p.Steps {
		n++
		a.out.line("%3d. %s", n, s.Says)
		for _, d := range s.Details {
			for line := range strings.Lines(d) {
				a.out.line("       %s", strings.TrimSuffix(line, "\n"))
			}
		}
	}
	if c.Entra.ClientID == "" || len(c.Entra.Credentials) == 0 {
		n++
		a.out.line("%3d. write that into %s", n, o.config)
	}
	if n == 0 {
		a.out.line("Nothing is to be changed.")
	}
	for _, note := range p.Notes {
		a.out.line("")
		a.out.line("Note: %s", note)
	}
	a.out.line("")
}

func (a *app) showDone(d registration.Done, c *config.Config, o setupOptions, changed bool) {
	if changed {
		a.out.line("done: wrote the app registration into %s", o.config)
	}
	if len(d.Left) > 0 {
		a.out.line("")
		a.out.line("You may not grant permissions. Somebody with the role Privileged Role Administrator has to, at")
		a.out.line("  %s", registration.ConsentURL(c.Entra.Authority, d.Tenant.ID, d.ClientID))
		a.out.line("Until then this is left:")
		for _, s := range d.Left {
			a.out.line("  %s", s.Says)
		}
	}
	a.out.line("")
	a.out.line("Lanyard is registered as %s. Next:", d.ClientID)
	a.out.line("  lanyard check --config %s", o.config)
	a.out.line("  lanyard serve --config %s", o.config)
	a.out.line("and sign in at %s. Once it runs, `lanyard entra doctor` says how it stands with the tenant.", c.URL)
}

// ask lets a person agree.
func (a *app) ask() error {
	if !terminal(a.c.Stdin) {
		return usage("this is the plan; run it again with --yes to carry it out")
	}
	fmt.Fprint(a.out, "Do this? [y/N] ")
	answer, err := bufio.NewReader(a.c.Stdin).ReadString('\n')
	if err != nil || !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return statusError{exitFailed, errors.New("nothing was changed")}
	}
	return nil
}
