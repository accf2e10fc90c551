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
workspace: {timeout: 30m}
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

// writeProjects writes the sample project files that are not there. What somebody changed stays changed.
func (w *World) writeProjects() error {
	for name, text := range projectFiles(w.secrets.LegacyFile) {
		path := filepath.Join(w.data, "projects", name)
		if _, err := os.Stat(path); err == nil {
			continue
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("write a sample project: %w", err)
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
