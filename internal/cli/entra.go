package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) entra() *cobra.Command {
	cmd := family("entra", "Look after what connects Lanyard with Microsoft Entra ID", a.entraSetup(), a.entraDoctor(), a.entraExplain())
	cmd.Example = `  lanyard entra setup --config lanyard.yaml
  lanyard entra doctor`
	return cmd
}
