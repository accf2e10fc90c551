package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
)

// A peer protects the benchmark's app as its manual says, with the settings that make it fast: connections to the app
// and to who decides are kept, and nothing is logged.

const oidcModule = "/usr/lib/apache2/modules/mod_auth_openidc.so"

// startNginx starts nginx with auth_request: for each request it asks auth, which answers 200 or 403.
func startNginx(ctx context.Context, folder, app, auth string) (*daemon, error) {
	if err := missing("nginx"); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	folder = filepath.Join(folder, "nginx")
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the folder is this benchmark's alone
	}
	file, err := configure(folder, "nginx.conf", fmt.Sprintf(`%s
daemon off; worker_processes 2; pid %[2]s/pid; error_log %[2]s/error.log error;
events { worker_connections 4096; }
http {
	access_log off; keepalive_requests 1000000;
	client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s;
	map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
	upstream app { server %[3]s; keepalive 256; keepalive_requests 1000000; }
	upstream auth { server %[4]s; keepalive 256; keepalive_requests 1000000; }
	server {
		listen %[5]s;
		location / {
			auth_request /.auth;
			proxy_pass http://app; proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 1h;
			proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
		}
		location = /.auth {
			internal;
			proxy_pass http://auth; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_pass_request_body off; proxy_set_header Content-Length "";
		}
	}
}
`, user, folder, app, auth, address))
	if err != nil {
		return nil, err
	}
	return startDaemon(ctx, folder, "nginx", address, nil, "nginx", "-e", filepath.Join(folder, "error.log"), "-c", file)
}

// startCaddy starts Caddy with forward_auth, which asks auth for each request.
func startCaddy(ctx context.Context, folder, app, auth string) (*daemon, error) {
	if err := missing("caddy"); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	folder = filepath.Join(folder, "caddy")
	file, err := configure(folder, "Caddyfile", fmt.Sprintf(`{
	admin off
	auto_https off
	log {
		level ERROR
	}
}
http://%s {
	forward_auth %s {
		uri {uri}
	}
	reverse_proxy %s {
		flush_interval -1
	}
}
`, address, auth, app))
	if err != nil {
		return nil, err
	}
	return startDaemon(ctx, folder, "caddy", address, []string{"XDG_DATA_HOME=" + folder, "XDG_CONFIG_HOME=" + folder},
		"caddy", "run", "--adapter", "caddyfile", "--config", file)
}

// apacheHost is Apache's site: the tenant leads back to it, so its port is chosen before the tenant is made.
const apacheHost = "apache.localhost"

// apacheRedirect is where the tenant sends people back to.
func apacheRedirect(address string) string { return apacheURL(address) + "/.oidc" }

func apacheURL(address string) string {
	return "http://" + apacheHost + address[strings.LastIndexByte(address, ':'):]
}

// startApache starts Apache with mod_auth_openidc at an address, a client of the sample tenant: who is in the team may
// come.
func startApache(ctx context.Context, folder, app, address string, tenant tenantAnswer) (*daemon, error) {
	if err := missing("apache2", oidcModule); err != nil {
		return nil, err
	}
	folder = filepath.Join(folder, "apache")
	who := ""
	if os.Geteuid() == 0 {
		who = "User www-data\nGroup www-data"
	}
	var modules strings.Builder
	for _, m := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http", "proxy_wstunnel", "auth_openidc"} {
		name := m + "_module"
		fmt.Fprintf(&modules, "LoadModule %s /usr/lib/apache2/modules/mod_%s.so\n", name, m)
	}
	file, err := configure(folder, "apache.conf", fmt.Sprintf(`%s
%s
ServerRoot %[3]s
ServerName %[4]s
Listen %[5]s
PidFile %[3]s/pid
DefaultRuntimeDir %[3]s
ErrorLog %[3]s/error.log
LogLevel warn
StartServers 2
ServerLimit 2
ThreadsPerChild 64
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
MaxKeepAliveRequests 0
KeepAliveTimeout 300
ProxyTimeout 3600
OIDCProviderMetadataURL %[6]s/.well-known/openid-configuration
OIDCClientID %[7]s
OIDCClientSecret %[8]s
OIDCRedirectURI %[9]s
OIDCCryptoPassphrase only-the-benchmark-knows-this-as-well
OIDCScope "openid profile"
OIDCRemoteUserClaim oid
OIDCSessionInactivityTimeout 3600
<Location />
	AuthType openid-connect
	Require claim groups:%[10]s
	OIDCUnAuthAction auth true
</Location>
ProxyPass /ws ws://%[11]s/ws
ProxyPass / http://%[12]s/ flushpackets=on
`, modules.String(), who, folder, apacheHost, address, tenant.Issuer, tenant.ClientID, tenant.Secret,
		apacheRedirect(address), teamID, app, app))
	if err != nil {
		return nil, err
	}
	return startDaemon(ctx, folder, "apache", address, nil, "apache2", "-DFOREGROUND", "-f", file)
}

// signedIn signs a person in at Apache by the real code flow, and says how they go on asking.
func signedIn(ctx context.Context, address string, person int) (visitor, error) {
	b := browser.New()
	defer b.Close()
	base := apacheURL(address)
	if err := b.SignIn(ctx, base, personName(person), "lanyard-"+personName(person)); err != nil {
		return visitor{}, err
	}
	page, err := url.Parse(base)
	if err != nil {
		return visitor{}, err
	}
	var pairs []string
	for _, c := range b.HTTP().Jar.Cookies(page) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return visitor{Host: page.Host, Cookie: strings.Join(pairs, "; ")}, nil
}

// configure writes a peer's configuration into a folder of its own.
func configure(folder, name, text string) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(folder, name)
	return file, os.WriteFile(file, []byte(text), 0o600)
}
