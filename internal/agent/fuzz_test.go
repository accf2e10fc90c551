package agent

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// A setup names a folder below the workspace, hosts, and lines of Git's configuration, and can be nothing else.
func FuzzSetup(f *testing.F) {
	for _, s := range []string{
		`{"name":"api","repository":{"url":"https://git.example.test/a/b","ref":"main"},"gitHosts":["git.example.test"],"author":{"name":"Ada","mail":"ada@contoso.example"},"gitConfig":[{"key":"core.editor","value":"vi"}]}`,
		`{"name":".."}`, `{"name":"a/b"}`, `{"name":"api","gitHosts":["a\n[core]"]}`, `{"name":"api","gitConfig":[{"key":"alias.x\n","value":"!sh"}]}`,
		`{"name":"api","repository":{"url":"--upload-pack=x"}}`, `{"name":"api","repository":{"url":"https://a/b","ref":"-x"}}`, `{"name":"api","env":{"A=B":"c"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s agentapi.Setup
		if json.Unmarshal(b, &s) != nil || checkSetup(s) != nil {
			return
		}
		if dir := filepath.Join("/workspace", s.Name); filepath.Dir(dir) != "/workspace" || dir == "/workspace" {
			t.Fatalf("%q is checked out at %s", s.Name, dir)
		}
		if r := s.Repository; r != nil && (strings.HasPrefix(r.URL, "-") || strings.HasPrefix(r.Ref, "-")) {
			t.Fatalf("%+v becomes an option of git's", *r)
		}
		for _, h := range s.GitHosts {
			if strings.ContainsAny(h, "/\\\"@ \n\r\t") {
				t.Fatalf("%q is a host", h)
			}
		}
		for _, kv := range s.GitConfig {
			section, name, err := gitKey(kv.Key)
			if line := section + name + quoteGit(kv.Value); err == nil && strings.ContainsAny(line, "\n\r\x00") {
				t.Fatalf("%+v becomes more than a line", kv)
			}
		}
	})
}
