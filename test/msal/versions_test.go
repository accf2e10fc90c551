package msal

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// TestTestedWithNamesTheVersions: docs/tested-with.md says what these tests ran.
func TestTestedWithNamesTheVersions(t *testing.T) {
	text, err := os.ReadFile("../../docs/tested-with.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	if !strings.HasPrefix(doc, "**not yet seen with a production tenant**\n") {
		t.Error("its first line does not say so")
	}
	row := func(name, version string) {
		for line := range strings.Lines(doc) {
			if strings.HasPrefix(line, "| "+name) && strings.Contains(line, "| "+version+" |") {
				return
			}
		}
		t.Errorf("there is no row for %s %s", name, version)
	}
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	module, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{
		"github.com/AzureAD/microsoft-authentication-library-for-go": "MSAL for Go", "github.com/Azure/azure-sdk-for-go/sdk/azidentity": "`azidentity`",
	}
	for _, r := range module.Require {
		if name := names[r.Mod.Path]; name != "" {
			row(name, strings.TrimPrefix(r.Mod.Version, "v"))
		}
	}
	if data, err = os.ReadFile("testdata/client/package.json"); err != nil {
		t.Fatal(err)
	}
	var client struct{ Dependencies map[string]string }
	if err := json.Unmarshal(data, &client); err != nil || len(client.Dependencies) == 0 {
		t.Fatalf("%v %v", client, err)
	}
	for name, version := range client.Dependencies {
		row("`"+name+"`", version)
	}
}
