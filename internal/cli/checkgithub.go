package cli

import (
	"net/url"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
)

// checkGitHub finds repositories whose credential names a GitHub App that the configuration lacks, that is another
// host's, or that lacks what the credential takes.
func checkGitHub(apps []connection.App, projects []project.Project) (found source.Findings) {
	for _, p := range projects {
		for _, repo := range p.Repositories {
			name := repo.Credential.GitHubUser + repo.Credential.GitHubApp
			if name == "" {
				continue
			}
			report := func(says string) {
				found = append(found, source.Finding{File: p.File, Message: "repository " + repo.URL + ": " + says})
			}
			i := slices.IndexFunc(apps, func(a connection.App) bool { return a.Name == name })
			switch {
			case i < 0:
				report("there is no GitHub App " + name + "; write it under github in the configuration")
			case !sameHost(apps[i].URL, repo.URL):
				report("the GitHub App " + name + " is of " + apps[i].URL + ", and its tokens go nowhere else")
			case repo.Credential.GitHubUser != "" && apps[i].SecretFile == "":
				report("nobody can connect to the GitHub App " + name + "; give it a client_secret_file")
			case repo.Credential.GitHubApp != "" && apps[i].KeyFile == "":
				report("the GitHub App " + name + " gives no tokens of its installation; give it a private_key_file")
			}
		}
	}
	return found
}

func sameHost(a, b string) bool {
	one, err := url.Parse(a)
	other, failed := url.Parse(b)
	return err == nil && failed == nil && strings.EqualFold(one.Host, other.Host)
}
