package project

import (
	"slices"
	"strings"
)

// LoadsCode reports whether an environment variable of that name can make a common program load or run something, find
// another program or another server than it names, or is Lanyard's own. Nobody sets these for somebody else: no link, no
// maintainer for all of a project, no program in a workspace for its owner's next one. The spelling does not matter, since
// some programs do not mind it. Of the families of programs' own variables those that only say who somebody is, or what an
// application calls its parts, are none of these. No such list is whole: what a link sets is shown and confirmed besides.
func LoadsCode(name string) bool {
	upper := strings.ToUpper(name)
	starts := func(prefix string) bool { return strings.HasPrefix(upper, prefix) }
	ends := func(suffix string) bool { return strings.HasSuffix(upper, suffix) }
	switch {
	case slices.ContainsFunc(loaders, starts), slices.Contains(loading, upper), strings.HasPrefix(upper, "GO") && !strings.Contains(upper, "_"):
		return true
	case slices.Contains(ordinary, upper), slices.ContainsFunc(ordinaryPrefixes, starts), slices.ContainsFunc(ordinarySuffixes, ends):
		return false
	}
	return slices.ContainsFunc(families, starts) || slices.ContainsFunc(kinds, ends)
}

// loaders begin names of which every one is refused: of the linker, the C library, shells, interpreters, Git, and
// what else starts programs by settings of many names.
var loaders = []string{
	"LD_", "DYLD_", "GCONV", "GLIBC_", "MALLOC_", "GIT_", "SSH_", "BASH", "FISH_", "ZDOTDIR", "PYTHON", "IPYTHON", "JUPYTER", "PERL", "RUBY", "XDG_", "SUDO_", "VIRTUAL_ENV",
	"CONDA_", "SYSTEMD_", "GITPOD_", "LANYARD_", "SUPERVISOR_", "THEIA_", "DEVCONTAINER_", "NPM_CONFIG_", "R_", "EMACS", "SPRING_CONFIG_", "PGSSL", "PGREQUIRE",
	"LESS_", "LESSOPEN", "LESSCLOSE", "LESSKEY", "LESSEDIT", "LESSECHO", "LESSGLOBAL", "LESSHIST", "LESSMETA", "LESSSECURE", "LESSCHAR",
}

// loading are single such names.
var loading = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "SHELLOPTS", "ENV", "IFS", "PS0", "PS1", "PS2", "PS4", "PROMPT_COMMAND", "CDPATH", "FPATH", "MANPATH", "INFOPATH", "FIGNORE", "HISTFILE",
	"EDITOR", "VISUAL", "FCEDIT", "PAGER", "MANPAGER", "BROWSER", "TERM", "TERMINFO", "TERMCAP", "TMPDIR", "TMP", "TEMP", "PWD", "OLDPWD", "CLASSPATH",
	"CC", "CPP", "CXX", "AR", "AS", "FC", "F77", "LD", "NM", "RM", "LEX", "YACC", "LINK", "LINT", "STRIP", "RANLIB", "TANGLE", "WEAVE", "TEX", "INSTALL", "GCCGO",
	"LOCPATH", "NLSPATH", "HOSTALIASES", "LOCALDOMAIN", "TZDIR", "INPUTRC", "NODE", "NETRC", "PSQLRC", "HGRCPATH", "HGEDITOR", "HGMERGE", "HGUSER",
	"ARFLAGS", "ASFLAGS", "CFLAGS", "CXXFLAGS", "FFLAGS", "FCFLAGS", "LFLAGS", "YFLAGS", "LDFLAGS", "LDLIBS", "LDADD", "CPPFLAGS", "GCC_EXEC_PREFIX",
	"COMPILER_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "ASKPASS", "AWKPATH", "AWKLIBPATH",
	"LESS", "VIMINIT", "VIMRUNTIME", "VIM", "EXINIT", "GVIMINIT", "GDBHISTFILE", "HG", "MAKEINFO", "TEXI2DVI", "CTANGLE", "CWEAVE", "OBJC", "M2C", "MAKE", "MAKEFLAGS", "MAKEFILES", "MFLAGS", "MAKEOVERRIDES",
	"PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGSERVICEFILE", "PGPASSFILE", "PGSYSCONFDIR", "PGOPTIONS", "PGLOCALEDIR", "PGCHANNELBINDING", "PGDATA",
	"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
}

// families begin the names that programs read, of which some are ordinary.
var families = []string{
	"PYTEST_", "NODE_", "NPM_", "YARN_", "PNPM_", "BUN_", "DENO_", "COREPACK_", "JAVA_", "_JAVA", "JDK_", "JVM_", "MAVEN_", "MVN_", "GRADLE_", "SBT_", "SPRING_", "CGO_", "GOLANGCI_", "CARGO_", "RUST", "PIP_",
	"PIPENV_", "PDM_", "UV_", "POETRY_", "BUNDLE_", "GEM_", "COMPOSER_", "PHP", "DJANGO_", "FLASK_", "GUNICORN_", "UVICORN_", "CELERY_", "ESBUILD_", "WEBPACK_", "BABEL_", "PLAYWRIGHT_", "PUPPETEER_", "CYPRESS_",
	"DOTNET_", "NUGET_", "COR_", "CORECLR_", "MSBUILD", "DOCKER_", "BUILDKIT_", "COMPOSE_", "CONTAINERS_", "PODMAN_", "KUBE", "HELM_", "TF_", "TERRAGRUNT_", "PULUMI_", "ANSIBLE_", "AWS_", "AZURE_",
	"CLOUDSDK_", "GH_", "VAULT_", "CMAKE_", "CCACHE_", "SCCACHE_", "DISTCC_", "CC_", "CXX_", "PKG_CONFIG", "LUA_", "TCL", "JULIA_", "ERL_", "ELIXIR_", "MIX_", "HEX_", "OPAM",
	"OCAML", "GHC", "STACK_", "NIX_", "GUIX_", "DPKG_", "APT_", "DEBIAN_", "CURL_", "WGET", "RSYNC_", "CVS", "SVN_", "HG", "SSL_", "OPENSSL_", "GNUPG", "GPG_", "GTK_", "QT_", "VSCODE_", "ELECTRON_",
	"CHROME_", "VIM_", "TMUX", "FZF_", "RIPGREP_", "STARSHIP_", "GDB_", "RES_OPTIONS", "PSQL", "MYSQL_", "MARIADB_", "REDISCLI_", "SQLITE_", "ODBC",
}

// kinds end the names by which programs in general are told what to run, and where to find it.
var kinds = []string{
	"_PROXY", "_OPTS", "_OPTIONS", "_OPT", "_FLAGS", "_ARGS", "_ADDOPTS", "_PLUGINS", "_PLUGIN", "_PRELOAD", "_COMMAND", "_CMD", "_SHELL", "_PAGER", "_EDITOR", "_BROWSER", "_RSH", "_SSH", "_ASKPASS",
	"_CONFIG", "_CONFIG_FILE", "_CONFIG_PATH", "_CONFIG_DIR", "_BINARY", "_BINARY_PATH", "_BIN", "_EXE", "_EXECUTABLE", "_WRAPPER", "_LAUNCHER", "_PATH", "PATH_DIRS", "RCPATH", "_RC", "RCFILE", "_HOME",
	"_TFPATH", "_INIT", "_STARTUP", "_HOOK", "_HOOKS", "_REGISTRY", "_INDEX_URL", "_MIRROR", "_CA_BUNDLE", "_CA_FILE", "_CERT_FILE",
}

// ordinary are names of families, or of the kinds, that choose no code and no server.
var ordinary = []string{
	"NODE_ENV", "FLASK_ENV", "DJANGO_ENV", "MIX_ENV", "PHP_ENV", "DENO_ENV", "BUN_ENV", "AWS_PROFILE", "RUST_LOG", "RUST_BACKTRACE", "TF_LOG", "TF_WORKSPACE", "SPRING_PROFILES_ACTIVE",
	"CARGO_TERM_COLOR", "CARGO_INCREMENTAL", "DOTNET_CLI_TELEMETRY_OPTOUT", "DOTNET_NOLOGO", "DEBIAN_FRONTEND", "DOCKER_BUILDKIT", "FEATURE_FLAGS", "CLOUDSDK_CORE_PROJECT", "CLOUDSDK_COMPUTE_ZONE",
}

// ordinaryPrefixes begin what terraform(1) gives to its modules, and what it signs in with.
var ordinaryPrefixes = []string{"TF_VAR_", "TF_TOKEN_"}

// ordinarySuffixes end names that say who somebody is, where an account lies, or how much is to be said.
var ordinarySuffixes = []string{
	"_TOKEN", "_TOKENS", "_PASSWORD", "_PASS", "_SECRET", "_KEY", "_KEY_ID", "_USERNAME", "_USER", "_ID", "_REGION", "_NAMESPACE", "_NAME", "_ACCOUNT", "_DATABASE", "_DEBUG", "_VERSION",
}
