package cli

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/project"
)

func TestCheckClients(t *testing.T) {
	projects := []project.Project{{Audiences: []project.Audience{{Name: "planner"}}}, {Audiences: []project.Audience{{Name: "storage"}}}}
	c := &config.Config{File: "lanyard.yaml", Clients: []config.Client{{ID: "planner", Audiences: []string{"planner"}, Exchange: []string{"storage"}}}}
	if found := checkClients(c, projects); len(found) != 0 {
		t.Error(found)
	}
	c.Clients[0].Exchange = []string{"storage", "payroll"}
	if found := checkClients(c, projects); len(found) != 1 || !strings.Contains(found[0].String(), "client planner") || !strings.Contains(found[0].String(), "audience payroll") {
		t.Error(found)
	}
}
