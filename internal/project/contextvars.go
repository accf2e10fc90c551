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
// another program or another server than it names, or is Lanyard's own. Nobody sets these for somebody else: no link, no
// maintainer for all of a project, no program in a workspace for its owner's next one. The spelling does not matter, since
// some programs do not mind it. No such list is whole: what a link sets is shown and confirmed besides.
func LoadsCode(name string) bool {
	upper := strings.ToUpper(name)
	starts := func(prefix string) bool { return strings.HasPrefix(upper, prefix) }
	ends := func(suffix string) bool { return strings.HasSuffix(upper, suffix) }
	return slices.ContainsFunc([]string{
		"LD_", "DYLD_", "GCONV", "GIT_", "SSH_", "PYTHON", "PYTEST_", "IPYTHON", "JUPYTER", "PERL", "RUBY", "NODE_", "NPM_", "YARN_", "PNPM_", "BUN_", "DENO_", "COREPACK_", "BASH", "ZDOTDIR", "FISH_",
		"JAVA_", "_JAVA", "JDK_", "JVM_", "MAVEN_", "MVN_", "GRADLE_", "SBT_", "SPRING_", "GO", "CGO_", "CARGO_", "RUST", "PIP_", "PIPENV_", "PDM_", "UV_", "POETRY_", "CONDA_", "VIRTUAL_ENV", "BUNDLE_", "GEM_",
		"COMPOSER_", "PHP", "DJANGO_", "FLASK_", "GUNICORN_", "UVICORN_", "CELERY_", "ESBUILD_", "WEBPACK_", "BABEL_", "PLAYWRIGHT_", "PUPPETEER_", "CYPRESS_",
		"DOTNET_", "NUGET_", "COR_", "CORECLR_", "MSBUILD", "DOCKER_", "BUILDKIT_", "COMPOSE_", "CONTAINERS_", "PODMAN_", "KUBE", "HELM_", "TF_", "TERRAGRUNT_", "PULUMI_", "ANSIBLE_", "AWS_", "AZURE_",
		"CLOUDSDK_", "GH_", "VAULT_", "XDG_", "MAKE", "CMAKE_", "CCACHE_", "SCCACHE_", "DISTCC_", "CC_", "CXX_", "PKG_CONFIG", "LUA_", "TCL", "R_", "JULIA_", "ERL_", "ELIXIR_", "MIX_", "HEX_", "OPAM",
		"OCAML", "GHC", "STACK_", "NIX_", "GUIX_", "SUDO_", "DPKG_", "APT_", "DEBIAN_", "CURL_", "WGET", "RSYNC_", "CVS", "SVN_", "HG", "SSL_", "OPENSSL_", "GNUPG", "GPG_", "GTK_", "QT_", "VSCODE_", "ELECTRON_",
		"CHROME_", "EMACS", "VIM", "LESS", "TMUX", "FZF_", "RIPGREP_", "STARSHIP_", "SYSTEMD_", "GDB", "MALLOC_", "GLIBC_", "RES_", "PG", "PSQL", "MYSQL_", "MARIADB_", "REDISCLI_", "SQLITE_", "ODBC",
		"GITPOD_", "LANYARD_", "SUPERVISOR_", "THEIA_", "DEVCONTAINER_",
	}, starts) || slices.ContainsFunc([]string{
		"_PROXY", "_OPTS", "_OPTIONS", "_OPT", "_FLAGS", "_ARGS", "_ADDOPTS", "_PLUGINS", "_PLUGIN", "_PRELOAD", "_COMMAND", "_CMD", "_SHELL", "_PAGER", "_EDITOR", "_BROWSER", "_RSH", "_SSH", "_ASKPASS",
		"_CONFIG", "_CONFIG_FILE", "_CONFIG_PATH", "_CONFIG_DIR", "_BINARY", "_BINARY_PATH", "_BIN", "_EXE", "_EXECUTABLE", "_WRAPPER", "_LAUNCHER", "_PATH", "PATH_DIRS", "RCPATH", "_RC", "RCFILE", "_HOME",
		"_TFPATH", "_INIT", "_STARTUP", "_HOOK", "_HOOKS", "_PREFIX", "_REGISTRY", "_INDEX_URL", "_MIRROR", "_CA_BUNDLE", "_CA_FILE", "_CERT_FILE",
	}, ends) || slices.Contains([]string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "SHELLOPTS", "ENV", "IFS", "PS0", "PS1", "PS2", "PS4", "PROMPT_COMMAND", "CDPATH", "FPATH", "MANPATH", "INFOPATH", "FIGNORE", "HISTFILE",
		"EDITOR", "VISUAL", "FCEDIT", "PAGER", "MANPAGER", "BROWSER", "TERM", "TERMINFO", "TERMCAP", "TMPDIR", "TMP", "TEMP", "PWD", "OLDPWD", "CLASSPATH",
		"CC", "CPP", "CXX", "AR", "AS", "FC", "F77", "LD", "NM", "RM", "LEX", "YACC", "LINK", "LINT", "STRIP", "RANLIB", "TANGLE", "WEAVE", "TEX", "INSTALL", "GCCGO",
		"LOCPATH", "NLSPATH", "HOSTALIASES", "LOCALDOMAIN", "TZDIR", "LANG", "LC_ALL", "INPUTRC", "NODE", "NETRC", "PSQLRC",
		"ARFLAGS", "ASFLAGS", "CFLAGS", "CXXFLAGS", "FFLAGS", "FCFLAGS", "LFLAGS", "YFLAGS", "LDFLAGS", "LDLIBS", "LDADD", "CPPFLAGS", "GCC_EXEC_PREFIX",
		"COMPILER_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "ASKPASS", "AWKPATH", "AWKLIBPATH",
	}, upper)
}
