package dev

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// Info says what the sample world holds, for people and for programs.
type Info struct {
	URL         string     `json:"url"`
	Tenant      TenantInfo `json:"tenant"`
	Socket      string     `json:"socket"` // of the operator
	Data        string     `json:"data"`
	Runtime     string     `json:"runtime"`
	Users       []UserInfo `json:"users"`
	ContextURLs []string   `json:"context_urls"`
	Projects    string     `json:"projects"` // the folder of project files
	GitLog      string     `json:"git_log"`  // the Git upstream's own log

	why string // this runtime
}

// TenantInfo says how to reach the sample tenant, and an app of it that may change the directory.
type TenantInfo struct {
	Issuer       string `json:"issuer"`
	Portal       string `json:"portal"`
	Graph        string `json:"graph"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// UserInfo is a sample user.
type UserInfo struct {
	UserName string   `json:"username"`
	Password string   `json:"password"`
	Name     string   `json:"name"`
	Roles    []string `json:"roles"`
	May      string   `json:"may"`
}

// sampleUsers says what each may do. Passwords are the tenant's.
var sampleUsers = []UserInfo{
	{UserName: "ada", Roles: []string{"payments/developer"}, May: "push to payments, call the ledger"},
	{UserName: "barbara", Roles: []string{"payments/developer"}, May: "the same, through a group in a group"},
	{UserName: "grace", Roles: []string{"payments/maintainer"}, May: "also end other people's workspaces in payments"},
	{UserName: "linus", Roles: []string{"payments/viewer"}, May: "clone payments, not push"},
	{UserName: "alan", Roles: []string{"shop/developer"}, May: "push to shop"},
	{UserName: "edsger", Roles: []string{"platform/developer"}, May: "push to platform"},
	{UserName: "margaret", Roles: []string{"admin", "platform/developer"}, May: "see and end everything that is open"},
	{UserName: "ken", Roles: []string{"auditor"}, May: "read the audit log, ask why for anybody"},
	{UserName: "mallory", Roles: []string{}, May: "nothing: is in no project"},
	{UserName: "joy", Roles: []string{}, May: "nothing yet: put her in a group"},
	{UserName: "leo", Roles: []string{}, May: "nothing: has left, the account is disabled"},
}

func (w *World) describe() {
	tools, _ := w.Tenant.App(entrasim.DirectoryToolsAppID)
	w.Info = Info{
		URL: w.on("lanyard"),
		Tenant: TenantInfo{
			Issuer: w.Tenant.Issuer(), Portal: w.Tenant.PortalURL(), Graph: w.Tenant.GraphURL(),
			ClientID: tools.ClientID, ClientSecret: tools.Secret,
		},
		Socket: filepath.Join(w.data, "lanyard.sock"), Data: w.data, Runtime: w.runtime, why: w.why,
		ContextURLs: []string{
			"https://" + gitHost + "/payments/api", "https://" + gitHost + "/payments/assets",
			"https://" + legacyHost + "/payments/legacy", "https://" + gitHost + "/shop/web", "https://" + gitHost + "/platform/tools",
		},
		Projects: filepath.Join(w.data, "projects"), GitLog: w.gitLog(),
	}
	for _, u := range sampleUsers {
		if known, ok := w.Tenant.User(u.UserName); ok {
			u.Name, u.Password = known.DisplayName, known.Password
			w.Info.Users = append(w.Info.Users, u)
		}
	}
}

// command is how this world is spoken to from another terminal: by the program as this one was called, where no other is found by its
// name, and with the socket where that is not the one looked for.
func (i Info) command(name string) string {
	program := "lanyard"
	if _, err := exec.LookPath(program); err != nil {
		program = os.Args[0]
	}
	if folder, err := DefaultData(); err != nil || i.Socket != filepath.Join(folder, "lanyard.sock") {
		program += " --socket " + i.Socket
	}
	return program + " " + name
}

// print tells a person where to go.
func (i Info) print(out io.Writer) {
	fmt.Fprintf(out, "\nLanyard is ready at %s\n\n", i.URL)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "  user\tpassword\tmay\n")
	for _, u := range i.Users {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", u.UserName, u.Password, u.May)
	}
	t.Flush()
	fmt.Fprintf(out, "\nPeople and groups change in the tenant's portal, %s\n", i.Tenant.Portal)
	fmt.Fprintf(out, "Workspaces run by the runtime %s: %s.\n", i.Runtime, strings.TrimSuffix(i.why, "."))
	fmt.Fprintf(out, "Projects and their roles change in %s\n", i.Projects)
	fmt.Fprintf(out, "One click to a workspace: %s/#%s\n", i.URL, i.ContextURLs[0])
	fmt.Fprintf(out, "On a merge request's branch, with a variable: %s/#TICKET=42/%s/pull/7\n", i.URL, i.ContextURLs[0])
	fmt.Fprintf(out, "Other repositories: %s\n", strings.Join(i.ContextURLs[1:], " "))
	fmt.Fprintf(out, "The whole story as text, in another terminal: %s\n", i.command("tour"))
	fmt.Fprintf(out, "The data is in %s and is kept. Ctrl-C stops Lanyard and its workspaces.\n\n", i.Data)
}
