package dev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
)

// gitScope is what a person's token for the sample Git server is asked for.
const gitScope = entrasim.ContosoGitAppID + "/.default"

func projectFiles(passwordFile string) map[string]string {
	return map[string]string{
		"payments.yaml": `# Who may do what in payments. Change it and save: what is open follows within a second or two.
project: payments
roles:
  viewer: ["` + entrasim.PaymentsViewersID + `"]      # payments-viewers
  developer: ["` + entrasim.PaymentsEngineersID + `"]   # payments-engineers, with the payments-api-team in it
  maintainer: [payments-leads]                                # a name is looked up once, then pinned
repositories:
  - url: https://` + gitHost + `/payments/api
    credential: {entra: "` + gitScope + `"} # the person's own token
  - url: https://` + gitHost + `/payments/assets
    credential: {entra: "` + gitScope + `"}
  - url: https://` + legacyHost + `/payments/legacy
    credential: {basic_file: ` + passwordFile + `} # a password that only the server has
resources:
  - app: ledger
    url: http://` + ledgerHost + `
    assertion: {audience: ledger}
  - audience: reports # a service that takes tokens: run "lanyard token --audience reports" in a workspace
    aud: https://reports.example.test
  - audience: cloud   # an account that federates: it verifies tokens by itself
    aud: sts.cloud.example.test
    kind: federation
agents:
  - agent: reviewer # run "lanyard agent run --as reviewer -- bash" in a workspace
    allow: [repo:read, app:call]
    for: 30m
workspace: {timeout: 30m} # egress: [pypi.org, "*.pythonhosted.org"] beside it lets workspaces connect there
`,
		"shop.yaml": `project: shop
roles:
  developer: ["` + entrasim.ShopEngineersID + `"] # shop-engineers
  maintainer: [shop-leads]
repositories:
  - url: https://` + gitHost + `/shop/web
    credential: {entra: "` + gitScope + `"}
`,
		"platform.yaml": `project: platform
roles:
  developer: [platform-engineers]
repositories:
  - url: https://` + gitHost + `/platform/tools
    credential: {entra: "` + gitScope + `"}
`,
	}
}

// policyFiles are what the sample world has beside the shipped policies.
func policyFiles() map[string]string {
	return map[string]string{
		"assets.cedar": `// Pushing to payments/assets needs the approval of somebody in payments-leads, in which grace is. Ada is told to run:
//   lanyard request repo:write https://` + gitHost + `/payments/assets --why "new logo" --for 1h --user ada
@id("assets-need-approval")
@approval("` + entrasim.PaymentsLeadsID + `")
forbid (principal, action == Action::"repo:write", resource == Repo::"https://` + gitHost + `/payments/assets");
`,
	}
}

// writeProjects writes the sample project and policy files that are not there. What somebody changed stays changed.
func (w *World) writeProjects() error {
	if err := w.writeMissing("projects", projectFiles(w.secrets.LegacyFile)); err != nil {
		return err
	}
	if err := w.writeMissing("", map[string]string{groupsFile: groupsText}); err != nil {
		return err
	}
	return w.writeMissing("policies", policyFiles())
}

// groupsFile says what projects hold that are made of groups.
const (
	groupsFile = "from-groups.yaml"
	groupsText = `# Security groups called ws-<project>-<role> that are assigned to Lanyard's enterprise application make projects.
# What each holds stands here, by the project's name.
workspace: {timeout: 30m}
projects: {}
#  store:
#    repositories:
#      - url: https://` + gitHost + `/store/web
`
)

// fromGroups makes projects of groups as the sample world names them.
func (w *World) fromGroups() *project.FromGroups {
	const text = "ws-{project}-{role}"
	pattern, err := project.ParsePattern(text)
	if err != nil {
		return nil // a test reads it
	}
	return &project.FromGroups{Pattern: pattern, At: source.Located{File: "lanyard dev", Text: text}, Template: filepath.Join(w.data, groupsFile), Keep: w.options.Keep}
}

func (w *World) writeMissing(folder string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(w.data, folder, name)
		if _, err := os.Stat(path); err == nil {
			continue
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("write a sample file: %w", err)
		}
	}
	return nil
}

// globalRoles are the groups that hold roles of the whole installation.
func globalRoles() map[project.Role][]source.Located {
	at := func(id string) []source.Located { return []source.Located{{File: "lanyard dev", Text: id}} }
	return map[project.Role][]source.Located{
		project.Admin: at(entrasim.LanyardAdminsID), project.Auditor: at(entrasim.LanyardAuditorsID),
	}
}
