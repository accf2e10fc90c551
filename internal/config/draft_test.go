package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/credential"
)

const draftHead = `# Lanyard of Contoso
url: https://lanyard.contoso.example   # the pages
data: /var/lib/lanyard
encryption_key_file: /etc/lanyard/encryption.key
`

const draftTail = `
# Where workspaces run.
domains: {workspaces: workspaces.invalid}
runtimes: {sandbox: {trusted_users_only: true}}
`

func TestWriteEntra(t *testing.T) {
	r := Registration{
		Tenant: "11111111-1111-1111-1111-111111111111", ClientID: "22222222-2222-2222-2222-222222222222",
		Credentials: []credential.Files{{Certificate: "entra.pem", Key: "entra.pem"}},
		Admin:       "Lanyard.Admin", Auditor: "Lanyard.Auditor",
	}
	const roles = "roles:\n  admin: [\"app-role:Lanyard.Admin\"]\n  auditor: [\"app-role:Lanyard.Auditor\"]\n"
	const whole = `entra:
  tenant: 11111111-1111-1111-1111-111111111111
  client_id: 22222222-2222-2222-2222-222222222222
  credential: {certificate_file: entra.pem, key_file: entra.pem}
`
	for name, c := range map[string]struct{ before, after string }{
		"none":   {draftHead + draftTail, draftHead + draftTail + whole + roles},
		"empty":  {draftHead + "entra: {}\n" + draftTail, draftHead + whole + draftTail + roles},
		"others": {draftHead + "entra:\n  notifications: none # behind a wall\n" + draftTail, draftHead + "entra:\n  notifications: none # behind a wall\n" + whole[7:] + draftTail + roles},
		"flow":   {draftHead + "entra: {\n  notifications: none\n}\n" + draftTail, draftHead + "entra:\n  notifications: none\n" + whole[7:] + draftTail + roles},
		"other":  {draftHead + strings.Replace(whole, "2222-222222222222", "2222-333333333333", 1) + draftTail, draftHead + whole + draftTail + roles},
		"last":   {draftHead + draftTail + "entra:\n  sign_in_log: none", draftHead + draftTail + "entra:\n  sign_in_log: none\n" + whole[7:] + roles},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lanyard.yaml")
			if err := os.WriteFile(path, []byte(c.before), 0o640); err != nil {
				t.Fatal(err)
			}
			if name != "other" {
				if _, err := ReadDraft(path); err != nil {
					t.Fatalf("the draft: %v", err)
				}
				if _, err := Read(path); err == nil {
					t.Fatal("a draft is taken for a whole configuration")
				}
			}
			for i, want := range []bool{true, false} {
				changed, err := WriteEntra(path, r)
				if err != nil || changed != want {
					t.Fatalf("time %d: changed %v, %v", i+1, changed, err)
				}
				got, err := os.ReadFile(path)
				if err != nil || string(got) != c.after {
					t.Fatalf("%v:\n%s\nwant\n%s", err, got, c.after)
				}
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("the file's mode is %v, %v", info.Mode(), err)
			}
			if _, err := Read(path); err != nil {
				t.Error(err)
			}
		})
	}
}

// A file that would not be a configuration afterwards is left as it was.
func TestWriteEntraWritesNothingBad(t *testing.T) {
	for _, before := range []string{"{url: https://lanyard.contoso.example}\n", draftHead, "- a\n", ""} {
		path := filepath.Join(t.TempDir(), "lanyard.yaml")
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := WriteEntra(path, Registration{Tenant: "11111111-1111-1111-1111-111111111111", ClientID: "22222222-2222-2222-2222-222222222222"})
		if after, _ := os.ReadFile(path); err == nil || string(after) != before {
			t.Errorf("%q became %q, %v", before, after, err)
		}
	}
}
