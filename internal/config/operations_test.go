package config

import (
	"strings"
	"testing"
)

const around = `url: https://lanyard.example.test
data: /data
encryption_key_file: /key
entra: {tenant: 11111111-1111-1111-1111-111111111111, client_id: 22222222-2222-2222-2222-222222222222, credential: {secret_file: /s}}
runtimes: {sandbox: {trusted_users_only: true}}
domains: {workspaces: w.contoso.example}
`

// Profiles hold what the server's memory holds.
func TestAttack11ProfilesStayPrivate(t *testing.T) {
	for value, accepted := range map[string]bool{
		"127.0.0.1:9464": true, "10.1.2.3:9464": true, "192.168.0.1:9464": true, `"[::1]:9464"`: true, `"[fd00::1]:9464"`: true, "localhost:9464": true,
		"0.0.0.0:9464": false, `"[::]:9464"`: false, `":9464"`: false, "192.0.2.1:9464": false, "metrics.example.test:9464": false, "127.0.0.1:8080": false,
		"{address: 0.0.0.0:9464}": false, "{address: 0.0.0.0:9464, anywhere: true}": true, "{address: 0.0.0.0:9464, anywhere: maybe}": false, "{anywhere: true}": false,
	} {
		_, err := Parse("lanyard.yaml", "/etc/lanyard", around+"listen_metrics: "+value+"\n")
		if (err == nil) != accepted {
			t.Errorf("%s: %v", value, err)
		}
	}
	if c, err := Parse("lanyard.yaml", "/etc/lanyard", around); err != nil || c.Operations.Listen != "" {
		t.Errorf("without being asked for: %+v %v", c, err)
	}
	if _, err := Parse("lanyard.yaml", "/etc/lanyard", around+"listen_metrics: 0.0.0.0:9464\n"); err == nil || !strings.Contains(err.Error(), "anywhere: true") {
		t.Errorf("what to do is not said: %v", err)
	}
}
