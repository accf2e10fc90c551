package start_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
)

// ownCredential: an image that only one person's own credential opens, stored and removed by the command line.
func (w world) ownCredential(t *testing.T, registry *imagetest.Registry) {
	const password = "correct horse battery staple"
	spoil := func(rw http.ResponseWriter, r *http.Request) bool {
		if user, given, _ := r.BasicAuth(); !strings.HasPrefix(r.URL.Path, "/v2/team/private/") || user == "ada" && given == password {
			return false
		}
		rw.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		http.Error(rw, "who is it?", http.StatusUnauthorized)
		return true
	}
	ref := pushBaseAs(t, registry, "team/private:1")
	registry.Spoil.Store(&spoil)
	defer registry.Spoil.Store(nil)
	w.commit(t, "private", map[string]string{".gitpod.yml": "image: " + ref + "\n"})
	refused := func(when string) {
		t.Helper()
		ws, _ := w.begin(t, api.Order{ContextURL: host + repo + "/tree/private"})
		if ws.Phase != "stopped" || !strings.Contains(ws.Message, "lanyard registry login "+registry.Host) {
			t.Errorf("%s: %s: %s", when, ws.Phase, ws.Message)
		}
	}
	refused("without a credential")
	login := exec.CommandContext(t.Context(), w.Program(), "registry", "login", registry.Host, "--username", "ada", "--user", "ada")
	login.Env = append(os.Environ(), "LANYARD_SOCKET="+w.Info.Socket)
	login.Stdin = strings.NewReader(password + "\n")
	if out, err := login.CombinedOutput(); err != nil || !strings.Contains(string(out), "is stored") || strings.Contains(string(out), password) {
		t.Fatalf("%v\n%s", err, out)
	}
	ws := w.runs(t, "private")
	w.says(t, ws, "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; echo nothing: $(grep -rl '"+password[:13]+"' /run /etc /workspace ~ 2>/dev/null | wc -l)", "nothing: 0")
	w.Eventually("whose credential opened the image", func() bool {
		page, err := w.Operator.Audit(w.Context(), api.AuditQuery{Action: "workspace:start", Workspace: ws.ID})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(page.Items, func(e api.Event) bool {
			detail, err := json.Marshal(e.Detail)
			return err == nil && strings.Contains(string(detail), `"`+registry.Host+` person"`) && !strings.Contains(string(detail), password)
		})
	})
	if said := w.Lanyard("registry", "list", "--user", "ada", "--json"); said.Status != 0 || !strings.Contains(said.Out, `"user":"ada"`) || !strings.Contains(said.Out, `"used":"`) || strings.Contains(said.Out, password) {
		t.Errorf("%+v", said)
	}
	if said := w.Lanyard("registry", "list", "--user", "linus"); said.Status != 0 || strings.Contains(said.Out, registry.Host) {
		t.Errorf("%+v", said)
	}
	if said := w.Lanyard("registry", "logout", registry.Host, "--user", "ada"); said.Status != 0 {
		t.Errorf("%+v", said)
	}
	refused("when it is gone")
	if strings.Contains(w.Log(), password) {
		t.Error("the server's log has the password")
	}
}
