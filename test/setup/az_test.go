package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/server"
)

// azToken names the file that holds the token of whoever is signed in at the stand-in for the Azure CLI. Microsoft's own
// signs in at Microsoft's clouds only.
const azToken = "LANYARD_TEST_AZ_TOKEN"

// azLogin puts an `az` on the machine, and signs somebody in there by the tenant's device code flow, as `az login` does.
func (w *world) azLogin(user string) {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	bin := filepath.Join(w.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "az")); err != nil && !os.IsExist(err) {
		w.t.Fatal(err)
	}
	w.path = bin + ":" + os.Getenv("PATH")
	w.t.Setenv(azToken, w.write("az-token", w.graphToken(user), 0o600))
}

// graphToken is a token for Graph of the Azure CLI for somebody.
func (w *world) graphToken(user string) string {
	w.t.Helper()
	post := func(path string, form url.Values) (answer map[string]any) {
		form.Set("client_id", entrasim.AzureCLIAppID)
		resp, err := w.client().PostForm(w.url+"/"+tenantID+"/oauth2/v2.0/"+path, form)
		if err != nil {
			w.t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
			w.t.Fatalf("%s: %v %v", path, answer, err)
		}
		return answer
	}
	code := post("devicecode", url.Values{"scope": {"https://graph.microsoft.com/.default"}})
	page, _ := code["verification_uri"].(string)
	typed, _ := code["user_code"].(string)
	secret, _ := code["device_code"].(string)
	if err := entrasim.SignInDevice(w.context(), w.client(), page, typed, user, "lanyard-"+user); err != nil {
		w.t.Fatal(err)
	}
	token, _ := post("token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {secret}})["access_token"].(string)
	return token
}

// az is the stand-in: `az account get-access-token` and `az rest`, with the options that Lanyard uses.
func az(args []string, out io.Writer) error {
	text, err := os.ReadFile(os.Getenv(azToken))
	if err != nil {
		return err
	}
	token := strings.TrimSpace(string(text))
	option := map[string]string{}
	for i, a := range args {
		if strings.HasPrefix(a, "--") && i+1 < len(args) {
			option[a] = args[i+1]
		}
	}
	switch {
	case len(args) > 1 && args[0] == "account" && args[1] == "get-access-token" && option["--resource"] == "https://graph.microsoft.com":
		return json.NewEncoder(out).Encode(map[string]string{"accessToken": token, "tokenType": "Bearer"})
	case len(args) == 0 || args[0] != "rest":
		return fmt.Errorf("ERROR: az does not know %q here", args)
	}
	r, err := http.NewRequest(strings.ToUpper(option["--method"]), option["--url"], strings.NewReader(option["--body"]))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	name, value, _ := strings.Cut(option["--headers"], "=")
	r.Header.Set(name, value)
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: server.Dial}}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("ERROR: %s(%s)", resp.Status, answer)
	}
	if option["--output"] != "tsv" {
		return nil
	}
	var at any
	if err := json.NewDecoder(bytes.NewReader(answer)).Decode(&at); err != nil {
		return err
	}
	for field := range strings.SplitSeq(option["--query"], ".") {
		object, _ := at.(map[string]any)
		at = object[field]
	}
	_, err = fmt.Fprintln(out, at)
	return err
}
