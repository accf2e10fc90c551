package project

import (
	"maps"
	"strings"
	"testing"
)

func TestContexts(t *testing.T) {
	const repo = "https://git.example.test/payments/api"
	for s, want := range map[string]Context{
		repo + "/pull/7":                                    {Ref: "refs/pull/7/head", Request: 7},
		repo + "/pull/7/files":                              {Ref: "refs/pull/7/head", Request: 7},
		repo + "/pulls/12":                                  {Ref: "refs/pull/12/head", Request: 12},
		repo + "/-/merge_requests/7":                        {Ref: "refs/merge-requests/7/head", Request: 7},
		repo + "/-/merge_requests/7/diffs":                  {Ref: "refs/merge-requests/7/head", Request: 7},
		repo + "/merge_requests/7":                          {Ref: "refs/merge-requests/7/head", Request: 7},
		"referrer:jetbrains-gateway:goland/" + repo:         {},
		"A=1,B_2=a%2Fb%2Cc=/" + repo + "/tree/x":            {Ref: "x", Variables: map[string]string{"A": "1", "B_2": "a/b,c="}},
		"A=https:%2F%2Fexample.test/" + repo:                {Variables: map[string]string{"A": "https://example.test"}},
		"A=/" + repo:                                        {Variables: map[string]string{"A": ""}},
		"https://git.example.test/payments/merge/tree/main": {Repository: "https://git.example.test/payments/merge", Ref: "main"},
		"https://git.example.test/projects/PAY/repos/api/pull-requests/3/overview": {
			Repository: "https://git.example.test/scm/pay/api", Ref: "refs/pull-requests/3/from", Request: 3},
		"https://dev.azure.com/contoso/payments/_git/api/pullrequest/9": {
			Repository: "https://dev.azure.com/contoso/payments/_git/api", Ref: "refs/pull/9/merge", Request: 9},
		"https://dev.azure.com/contoso/payments/_git/api?version=GBfeature%2Fx": {
			Repository: "https://dev.azure.com/contoso/payments/_git/api", Ref: "feature/x"},
		"https://bitbucket.org/contoso/api/src/main": {Repository: "https://bitbucket.org/contoso/api", Ref: "main"},
	} {
		if want.Repository == "" {
			want.Repository = repo
		}
		got, err := ParseContext(s)
		if err != nil || got.Repository != want.Repository || got.Ref != want.Ref || got.Request != want.Request || !maps.Equal(got.Variables, want.Variables) {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
		if strings.Contains(got.URL, "A=") {
			t.Errorf("%s: the variables stay in %s", s, got.URL)
		}
	}
	if got, err := ParseContext("snapshot/x-1"); err != nil || got.Snapshot != "x-1" || got.Repository != "" {
		t.Errorf("%+v %v", got, err)
	}
	for s, why := range map[string]string{
		repo + "/pull/0": "not the number", repo + "/pull/7x": "not the number", repo + "/pull/-7": "not the number", repo + "/pull/99999999999": "not the number",
		"A=1/B=2/" + repo: "two places", "A=1,A=2/" + repo: "twice", "1A=2/" + repo: "name of a variable", "A=%zz/" + repo: "encoded", "A=%00/" + repo: "encoded",
		"A=1": "must begin with https://", "A=1/": "no repository", "A=1/http://git.example.test/a": "must begin with https://", "=x/" + repo: "name of a variable",
		"A=" + strings.Repeat("x", 3000) + "/" + repo:       "longer than",
		"https://bitbucket.org/contoso/api/pull-requests/3": "no ref",
	} {
		if got, err := ParseContext(s); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %+v, %v; want %q", s, got, err, why)
		}
	}
	if _, err := ParseContext("TOKEN=hunter2/" + repo + "/pull/x"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error("a value is in the error:", err)
	}
}

// TestLinksSetNothingThatLoadsCode: no spelling of a variable that changes what programs run comes in by a link.
func TestLinksSetNothingThatLoadsCode(t *testing.T) {
	for _, name := range []string{
		"PATH", "Path", "LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV", "ENV", "BASH_FUNC_ls", "NODE_OPTIONS", "node_options", "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "PYTHONPATH",
		"PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "PROMPT_COMMAND", "PS4", "IFS", "HTTPS_PROXY", "http_proxy", "ALL_PROXY", "GOPROXY", "GOFLAGS",
		"npm_config_registry", "PIP_INDEX_URL", "SSL_CERT_FILE", "EDITOR", "PAGER", "LESSOPEN", "SHELL", "HOME", "GITPOD_WORKSPACE_ID", "LANYARD_PROJECT", "DOCKER_HOST", "KUBECONFIG",
		"GRADLE_OPTS", "CARGO_HOME", "RUSTC_WRAPPER", "DOTNET_STARTUP_HOOKS", "XDG_CONFIG_HOME", "CURL_HOME", "MAKEFLAGS", "GLIBC_TUNABLES", "HOSTALIASES",
		"GOCACHEPROG", "GOCACHE", "GOMODCACHE", "GOWORK", "GCCGO", "RM", "PKG_CONFIG", "LD", "AS", "FC", "YACC", "LEX", "CCACHE_PREFIX", "ESBUILD_BINARY_PATH", "TERRAGRUNT_TFPATH", "PYTEST_ADDOPTS", "PYTEST_PLUGINS",
		"IPYTHONDIR", "JUPYTER_CONFIG_DIR", "GUNICORN_CMD_ARGS", "FLASK_APP", "DJANGO_SETTINGS_MODULE", "RSYNC_RSH", "CVS_RSH", "SVN_SSH", "HGRCPATH", "HGEDITOR", "PSQL_PAGER", "PSQL_EDITOR", "GH_PAGER",
		"SYSTEMD_PAGER", "FCEDIT", "RIPGREP_CONFIG_PATH", "FZF_DEFAULT_COMMAND", "STARSHIP_CONFIG", "CHROME_BIN", "PGHOST", "PGSYSCONFDIR", "PSQLRC", "NETRC", "GNUPGHOME", "MYSQL_HOME", "SPRING_APPLICATION_JSON",
		"BASH_TOKEN", "VIRTUAL_ENV", "JULIA_PROJECT", "UV_PROJECT", "CONDA_DEFAULT_ENV", "GIT_TOKEN", "PYTHON_KEY", "NPM_CONFIG_USERCONFIG", "NPM_CONFIG__AUTH_TOKEN", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AZURE_AUTHORITY_HOST",
		"GH_HOST", "VAULT_ADDR", "TF_CLI_CONFIG_FILE", "TF_CLI_ARGS", "TF_REATTACH_PROVIDERS", "GOPATH", "GOENV", "GOTOOLCHAIN", "GOAUTH", "GODEBUG", "GOOGLE_APPLICATION_CREDENTIALS", "PGSERVICEFILE", "PGPORT", "MYSQL_HOST",
		"DOCKER_CONTEXT", "DOCKER_CONFIG", "KUBE_CONTEXT", "UV_INDEX_URL", "CARGO_REGISTRIES_CRATES_IO_INDEX", "RUSTUP_TOOLCHAIN", "RUSTC", "YARN_RC_FILENAME", "SPRING_DATASOURCE_URL", "NODE_EXTRA_CA_CERTS", "NODE_PATH",
		"ANY_TOOL_PAGER", "any_editor", "SOME_RSH", "OTHER_COMMAND", "TOOL_CONFIG", "TOOL_BIN", "TOOL_HOME", "TOOL_FLAGS", "TOOL_PATH", "TOOL_ADDOPTS",
	} {
		if _, err := ParseContext(name + "=x/https://git.example.test/payments/api"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"TICKET", "DEBUG", "FEATURE_FLAG", "FEATURE_FLAGS", "API_URL", "NAME", "DATABASE", "DATABASE_URL", "ISSUE", "LOG_LEVEL", "REGION", "PORT", "LANG", "LC_ALL", "TZ", "TABLE_PREFIX",
		"NPM_TOKEN", "NODE_AUTH_TOKEN", "NODE_ENV", "RAILS_ENV", "MIX_ENV", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_ID", "GOOGLE_API_KEY", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT", "GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN",
		"VAULT_TOKEN", "VAULT_NAMESPACE", "TF_VAR_region", "TF_TOKEN_app_terraform_io", "TF_WORKSPACE", "PULUMI_ACCESS_TOKEN", "CARGO_REGISTRY_TOKEN", "RUST_LOG", "RUST_BACKTRACE", "UV_INDEX_TEAM_PASSWORD",
		"POETRY_HTTP_BASIC_TEAM_USERNAME", "NUGET_API_KEY", "DOCKER_USERNAME", "DOCKER_PASSWORD", "MAVEN_PASSWORD", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGP_KEY", "MYSQL_USER", "MYSQL_ROOT_PASSWORD", "MYSQL_DATABASE",
		"DJANGO_SECRET_KEY", "DJANGO_DEBUG", "FLASK_ENV", "SPRING_PROFILES_ACTIVE", "COMPOSE_PROJECT_NAME", "HELM_NAMESPACE", "SLACK_WEBHOOK", "VIMEO_TOKEN", "MAKER_ID", "LESSON", "HEX_API_KEY", "REDIS_URL",
	} {
		if LoadsCode(name) {
			t.Errorf("%s is refused", name)
		}
	}
}
