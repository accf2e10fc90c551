package project

import (
	"strings"
	"testing"
)

// Secret variables are off where nothing is said, and listed where they are on.
func TestSecretVariablesAreListed(t *testing.T) {
	for text, want := range map[string]bool{"workspace: {timeout: 5m}": false, "workspace: {secret_variables: false}": false, "workspace: {secret_variables: true}": true} {
		result, err := Parse(Input{Tenant: tenant, Revision: Revision{Projects: map[string]string{"a.yaml": "project: a\n" + text + "\n"}}})
		if err != nil {
			t.Fatal(text, err)
		}
		found := result.Set.LongLived()
		if result.Set.All()[0].Workspace.SecretVariables != want || (len(found) == 1) != want {
			t.Errorf("%s: %v", text, found)
		}
		if want && (found[0].Line != 2 || !strings.Contains(found[0].Message, "secret_variables of the project a")) {
			t.Errorf("%v", found)
		}
	}
}
