package agent

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// toolFolder is below the home folder: configuration of programs that get packages, written at every setup. Programs read it
// first, so that the person's and the repository's own win.
const toolFolder = ".config/lanyard"

// aptFolder takes the same for apt run by root, whose environment a sudo or a build may have emptied.
const aptFolder = "/etc/apt/apt.conf.d"

// tellTools tells programs of the forward proxy and of the registries: by files, and by variables that a setup's own go before.
func (a *Agent) tellTools(s *agentapi.Setup) error {
	if s.Egress == nil {
		return nil
	}
	env, err := a.writeToolConfig(*s.Egress)
	if err != nil && !diskFull(err) {
		return err
	}
	maps.Copy(env, s.Env)
	s.Env = env
	return nil
}

// writeToolConfig writes the files and returns the variables, also where a file could not be written.
func (a *Agent) writeToolConfig(e agentapi.Egress) (map[string]string, error) {
	for _, r := range e.Registries {
		if !appName.MatchString(r.Name) || strings.ContainsAny(r.Scope, " \t\r\n=\"'") {
			return map[string]string{}, fmt.Errorf("%q cannot name a registry", r.Name)
		}
	}
	dir := filepath.Join(a.config.Home, toolFolder)
	t := tools{base: "http://" + a.config.Listen, dir: dir, env: map[string]string{}, files: map[string]string{}}
	if e.Proxy {
		t.proxy()
	}
	t.npm(of(e.Registries, "npm"))
	t.golang(of(e.Registries, "go"))
	t.pip(of(e.Registries, "pypi"))
	t.apt()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return t.env, fmt.Errorf("configuration of programs: %w", err)
	}
	for name, text := range t.files {
		if err := replaceFile(filepath.Join(dir, name), text); err != nil {
			return t.env, fmt.Errorf("configuration of programs: %w", err)
		}
	}
	// Only as process 1 are these the workspace's files, and not the machine's.
	if info, err := os.Stat(aptFolder); err == nil && info.IsDir() && os.Getuid() == 0 && os.Getpid() == 1 {
		if err := replaceFile(filepath.Join(aptFolder, "90lanyard"), t.files["apt.conf"]); err != nil {
			a.log.Info("apt is told of the proxy by the environment alone", "err", err)
		}
	}
	return t.env, nil
}

// replaceFile writes a file so that nobody reads half of it.
func replaceFile(path, text string) error {
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

func of(all []agentapi.RegistryPlan, kind string) (list []agentapi.RegistryPlan) {
	for _, r := range all {
		if r.Kind == kind {
			list = append(list, r)
		}
	}
	return list
}

// tools collects what is written.
type tools struct {
	base, dir string // the agent's address; the folder
	env       map[string]string
	files     map[string]string // by name
}

const byLanyard = "Written by Lanyard each time the workspace starts. Your own settings belong in your own files, which win."

// file adds a file and names it in a variable.
func (t *tools) file(variable, name, text string) {
	t.files[name] = text
	t.env[variable] = filepath.Join(t.dir, name)
}

func (t *tools) url(r agentapi.RegistryPlan) string { return t.base + "/r/" + r.Name }

// proxy names the forward proxy in both spellings: curl reads http_proxy in lower case alone, others in upper.
func (t *tools) proxy() {
	host := strings.TrimPrefix(t.base, "http://")
	direct := "localhost,127.0.0.1,::1,.localhost"
	if at, err := netip.ParseAddrPort(host); err == nil && at.Addr().String() != "127.0.0.1" {
		direct += "," + at.Addr().String()
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		t.env[name], t.env[strings.ToLower(name)] = t.base, t.base
	}
	t.env["NO_PROXY"], t.env["no_proxy"] = direct, direct
	t.env["NODE_USE_ENV_PROXY"] = "1" // Node.js from 22.21 and 24 on: fetch reads the variables above
}

// npm: https://docs.npmjs.com/cli/configuring-npm/npmrc. The file stands in the place of the global one.
func (t *tools) npm(registries []agentapi.RegistryPlan) {
	if len(registries) == 0 {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "; %s\n", byLanyard)
	for _, r := range registries {
		// npm publishes nothing without something to sign in with. The gateway takes it off: who asks is the workspace.
		fmt.Fprintf(&b, "%s/:_authToken=none\n", strings.TrimPrefix(t.url(r), "http:"))
		if r.Scope != "" {
			fmt.Fprintf(&b, "%s:registry=%s/\n", r.Scope, t.url(r))
			continue
		}
		// Lock files hold the addresses of where packages were first got from.
		fmt.Fprintf(&b, "registry=%s/\nreplace-registry-host=always\n", t.url(r))
	}
	b.WriteString("update-notifier=false\naudit=false\nfund=false\n")
	t.file("NPM_CONFIG_GLOBALCONFIG", "npmrc", b.String())
}

// golang: https://go.dev/ref/mod#environment-variables. What a scope names is not asked of the public checksum database; other
// modules are asked of it through the proxy that has them, if that offers it.
func (t *tools) golang(registries []agentapi.RegistryPlan) {
	var proxies, private []string
	whole := false
	for _, r := range registries {
		proxies = append(proxies, t.url(r))
		whole = whole || r.Scope == ""
		if r.Scope != "" {
			private = append(private, r.Scope)
		}
	}
	if len(proxies) == 0 {
		return
	}
	if !whole {
		proxies = append(proxies, "https://proxy.golang.org", "direct")
	}
	t.env["GOPROXY"] = strings.Join(proxies, ",")
	if len(private) > 0 {
		t.env["GONOSUMDB"] = strings.Join(private, ",")
	}
}

// pip: https://pip.pypa.io/en/stable/topics/configuration/
func (t *tools) pip(registries []agentapi.RegistryPlan) {
	if len(registries) == 0 {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n[global]\nindex-url = %s/simple/\n", byLanyard, t.url(registries[0]))
	if len(registries) > 1 {
		b.WriteString("extra-index-url =\n")
		for _, r := range registries[1:] {
			fmt.Fprintf(&b, "    %s/simple/\n", t.url(r))
		}
	}
	b.WriteString("disable-pip-version-check = true\n")
	t.file("PIP_CONFIG_FILE", "pip.conf", b.String())
}

// apt: apt.conf(5). It finds no name server here, so that the proxy must be said; and it cannot become another user where
// nothing has the capability to.
func (t *tools) apt() {
	text := "// " + byLanyard + "\nAPT::Sandbox::User \"root\";\n"
	if proxy := t.env["HTTP_PROXY"]; proxy != "" {
		text += "Acquire::http::Proxy \"" + proxy + "\";\nAcquire::https::Proxy \"" + proxy + "\";\n" +
			"Acquire::http::Proxy::127.0.0.1 \"DIRECT\";\nAcquire::http::Proxy::localhost \"DIRECT\";\n"
	}
	t.file("APT_CONFIG", "apt.conf", text)
}
