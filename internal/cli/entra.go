package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) entra() *cobra.Command {
	cmd := family("entra", "Look after what connects Lanyard with Microsoft Entra ID", a.entraDoctor())
	cmd.Example = `  lanyard entra doctor`
	return cmd
}
