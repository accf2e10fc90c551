package cli

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/project"
)

func TestCheckProvider(t *testing.T) {
	of := func(c project.Credential) []project.Project {
		return []project.Project{{File: "p.yaml", Repositories: []project.Repository{{URL: "https://git.example.test/contoso/api", Credential: c}}}}
	}
	elsewhere := &config.OIDC{Name: "Contoso sign-in"}
	for kind, c := range map[string]project.Credential{"entra;": {EntraScope: "x/.default"}, "entra_app;": {EntraApp: "x/.default"}} {
		found := checkProvider(elsewhere, of(c))
		if len(found) != 1 || found[0].File != "p.yaml" || !strings.Contains(found[0].Message, kind) {
			t.Errorf("%s %v", kind, found)
		}
		if found := checkProvider(nil, of(c)); len(found) != 0 {
			t.Errorf("at Entra: %v", found)
		}
	}
	if found := checkProvider(elsewhere, of(project.Credential{BasicFile: "/f"})); len(found) != 0 {
		t.Error(found)
	}
}
