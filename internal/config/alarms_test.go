package config

import (
	"strings"
	"testing"
)

// TestAlarms takes the address of alarms from a file, and from nowhere else: it may hold a token.
func TestAlarms(t *testing.T) {
	const least = `url: http://lanyard.localhost:8080
data: /data
encryption_key_file: /key
entra: {tenant: 11111111-1111-1111-1111-111111111111, client_id: 22222222-2222-2222-2222-222222222222, credential: {secret_file: /secret}}
domains: {workspaces: localhost}
runtimes: {sandbox: {trusted_users_only: true}}
`
	c, err := Parse("lanyard.yaml", "/etc", least+"alarms: {url_file: alarms}\n")
	if err != nil || c.AlarmFile != "/etc/alarms" {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, wrong := range []string{"alarms: {url: https://example.test/token}\n", "alarms: {}\n", "alarms: 1\n"} {
		if _, err := Parse("lanyard.yaml", "/etc", least+wrong); err == nil || strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
