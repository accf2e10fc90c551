package cli

import (
	"slices"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
)

// checkClients finds audiences that clients name and no project declares.
func checkClients(c *config.Config, projects []project.Project) (found source.Findings) {
	for _, client := range c.Clients {
		for _, name := range slices.Concat(client.Audiences, client.Exchange) {
			declares := func(p project.Project) bool {
				return slices.ContainsFunc(p.Audiences, func(a project.Audience) bool { return a.Name == name })
			}
			if !slices.ContainsFunc(projects, declares) {
				found = append(found, source.Finding{File: c.File, Message: "client " + client.ID + ": no project declares the audience " + name +
					"; write `- audience: " + name + "` under resources in a project's file"})
			}
		}
	}
	return found
}
