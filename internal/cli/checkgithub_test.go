package cli

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/project"
)

func TestCheckGitHub(t *testing.T) {
	apps := []connection.App{{Name: "people", URL: "https://github.com", SecretFile: "/s"}, {Name: "key", URL: "https://github.com", KeyFile: "/k"}}
	for want, c := range map[string]project.Credential{
		"":                            {GitHubUser: "people"},
		"there is no GitHub App none": {GitHubApp: "none"},
		"nobody can connect":          {GitHubUser: "key"},
		"gives no tokens of its":      {GitHubApp: "people"},
	} {
		found := checkGitHub(apps, []project.Project{{File: "p.yaml", Repositories: []project.Repository{{URL: "https://github.com/contoso/api", Credential: c}}}})
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || !strings.Contains(found[0].String(), want)) {
			t.Errorf("%q: %v", want, found)
		}
	}
	found := checkGitHub(apps, []project.Project{{Repositories: []project.Repository{{URL: "https://evil.example.test/contoso/api", Credential: project.Credential{GitHubUser: "people"}}}}})
	if len(found) != 1 || !strings.Contains(found[0].Message, "go nowhere else") {
		t.Error(found)
	}
}
