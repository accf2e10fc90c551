package project

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxVariables = 32
	maxValue     = 4 << 10 // bytes
)

var (
	assignment   = shape(`^[^=/]*=`)
	variableName = shape(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// parseVariables reads KEY=VALUE,… of a context URL; the values are encoded as in a URL's query.
func parseVariables(s string) (map[string]string, error) {
	all := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !variableName().MatchString(name) {
			return nil, fmt.Errorf("%s is not the name of a variable: letters, digits and _, at most 128", quote(name))
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("the variable %s is there twice", name)
		}
		if LoadsCode(name) {
			return nil, fmt.Errorf("the variable %s makes programs run other code, or reach other places, than they say, so no link may set it; set it in the workspace, or with `lanyard env set`", name)
		}
		value, err := url.PathUnescape(value)
		switch {
		case err != nil || !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			return nil, fmt.Errorf("the value of %s is not encoded as in a URL", name)
		case len(value) > maxValue:
			return nil, fmt.Errorf("the value of %s is longer than %d bytes", name, maxValue)
		}
		all[name] = value
	}
	if len(all) > maxVariables {
		return nil, fmt.Errorf("it sets %d variables; at most %d are taken from a link", len(all), maxVariables)
	}
	return all, nil
}

// withoutValues hides the values of variables: they may be secrets, and errors are kept.
func withoutValues(s string) string {
	first, rest, ok := strings.Cut(s, "/")
	if !ok || !assignment().MatchString(first) || strings.HasPrefix(first, "http") {
		return s
	}
	var names []string
	for pair := range strings.SplitSeq(first, ",") {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name+"=…")
	}
	return strings.Join(names, ",") + "/" + rest
}

// LoadsCode reports whether an environment variable of that name can make a common program load or run something, find
// another program or another server than it names, or is Lanyard's own. A link that a stranger wrote sets none of these.
// The spelling does not matter, since some programs do not mind it.
func LoadsCode(name string) bool {
	upper := strings.ToUpper(name)
	for _, prefix := range []string{
		"LD_", "DYLD_", "GCONV", "GIT_", "SSH_", "PYTHON", "PERL", "RUBY", "NODE_", "NPM_", "YARN_", "PNPM_", "BUN_", "DENO_", "COREPACK_", "BASH", "ZDOTDIR", "FISH_",
		"JAVA_", "_JAVA", "JDK_", "JVM_", "MAVEN_", "MVN_", "GRADLE_", "SBT_", "GO111", "GOPROXY", "GOFLAGS", "GOPRIVATE", "GONO", "GOSUM", "GOINSECURE",
		"GOTOOL", "GOENV", "GOROOT", "GOPATH", "GOBIN", "GOVCS", "GOAUTH", "CGO_", "CARGO_", "RUST", "PIP_", "UV_", "POETRY_", "CONDA_", "VIRTUAL_ENV", "BUNDLE_", "GEM_", "COMPOSER_", "PHP",
		"DOTNET_", "NUGET_", "COR_", "CORECLR_", "MSBUILD", "DOCKER_", "BUILDKIT_", "COMPOSE_", "KUBE", "HELM_", "TF_", "ANSIBLE_", "AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_",
		"VAULT_", "XDG_", "MAKE", "CMAKE_", "CC_", "CXX_", "LUA_", "TCL", "R_", "JULIA_", "ERL_", "ELIXIR_", "MIX_", "HEX_", "OPAM", "OCAML", "GHC", "STACK_", "NIX_", "GUIX_",
		"SUDO_", "DPKG_", "APT_", "CURL_", "WGET", "SSL_", "OPENSSL_", "GTK_", "QT_", "VSCODE_", "ELECTRON_", "EMACS", "VIM", "LESS", "TMUX", "GDB", "MALLOC_", "GLIBC_", "RES_",
		"GITPOD_", "LANYARD_", "SUPERVISOR_", "THEIA_", "DEVCONTAINER_",
	} {
		if strings.HasPrefix(upper, prefix) {
			return true
		}
	}
	return strings.HasSuffix(upper, "_PROXY") || strings.HasSuffix(upper, "_OPTS") || strings.HasSuffix(upper, "_OPTIONS") || slices.Contains([]string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "SHELLOPTS", "ENV", "IFS", "PS0", "PS1", "PS2", "PS4", "PROMPT_COMMAND", "CDPATH", "FPATH", "MANPATH", "INFOPATH",
		"EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "TERM", "TERMINFO", "TERMCAP", "TMPDIR", "TMP", "TEMP", "PWD", "OLDPWD", "CC", "CXX", "AR", "LINK", "CLASSPATH",
		"LOCPATH", "NLSPATH", "HOSTALIASES", "LOCALDOMAIN", "TZDIR", "LANG", "LC_ALL", "INPUTRC", "NODE", "GOOS", "GOARCH", "GOPACKAGESDRIVER", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CPPFLAGS", "GCC_EXEC_PREFIX",
		"COMPILER_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "PKG_CONFIG_PATH", "ASKPASS", "PERL5OPT", "AWKPATH", "AWKLIBPATH",
	}, upper)
}
