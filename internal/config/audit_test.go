package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAudit reads where the audit log goes, and refuses what would be lost or seen on the way.
func TestAudit(t *testing.T) {
	folder := t.TempDir()
	base, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	with := func(text string) (*Config, error) {
		return Parse("lanyard.yaml", folder, strings.Replace(string(base), "audit: {checkpoints: /mnt/elsewhere/checkpoints}", text, 1))
	}
	c, err := with(`audit:
  checkpoints: [copies, {url: "https://copies.example.test/lanyard", bearer_file: /run/copies}]
  retention: 400d
  export:
    - {name: siem, otlp: "https://collector.example.test/v1/logs", bearer_file: token}
    - {name: box, syslog: "tls://log.example.test:6514", ca_file: ca.pem}
    - {name: here, syslog: "unix:///dev/log"}
    - {name: file, file: audit.jsonl}`)
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(folder, name) }
	want := Audit{
		Checkpoints: []string{in("copies")}, Remotes: []AuditRemote{{"https://copies.example.test/lanyard", "/run/copies"}},
		Retention: 400 * 24 * time.Hour, Exports: []AuditExport{
			{Name: "siem", OTLP: "https://collector.example.test/v1/logs", BearerFile: in("token")},
			{Name: "box", Syslog: "tls://log.example.test:6514", CAFile: in("ca.pem")},
			{Name: "here", Syslog: "unix:///dev/log"}, {Name: "file", File: in("audit.jsonl")},
		},
	}
	if diff := cmp.Diff(want, c.Audit); diff != "" {
		t.Error(diff)
	}
	said := c.CheckFiles().Err().Error() + c.LongLived().Err().Error()
	for _, file := range []string{"/run/copies", in("token"), in("ca.pem")} {
		if !strings.Contains(said, file) {
			t.Errorf("nothing is said of %s: %s", file, said)
		}
	}
	for text, finding := range map[string]string{
		`audit: {checkpoints: {url: "http://copies.example.test/x"}}`:               "over TLS",
		`audit: {checkpoints: {url: "https://a:b@copies.example.test/x"}}`:          "out of the URL",
		`audit: {checkpoints: {url: "https://copies.example.test/x", bearer: abc}}`: "bearer_file",
		`audit: {retention: 0d}`: "number of days",
		`audit: {retention: 5h}`: "number of days",
		`audit: {export: [{otlp: "https://collector.example.test/v1/logs"}]}`:         "name",
		`audit: {export: [{name: A, file: x}]}`:                                       "small letter",
		`audit: {export: [{name: a}]}`:                                                "one receiver",
		`audit: {export: [{name: a, file: x, syslog: "unix:///dev/log"}]}`:            "one receiver",
		`audit: {export: [{name: a, file: x}, {name: a, file: y}]}`:                   "twice",
		`audit: {export: [{name: a, syslog: "tcp://log.example.test:514"}]}`:          "over TLS",
		`audit: {export: [{name: a, syslog: "udp://127.0.0.1:514"}]}`:                 "tls://host:port",
		`audit: {export: [{name: a, otlp: "http://collector.example.test/v1/logs"}]}`: "over TLS",
		`audit: {exports: []}`: "unknown key",
	} {
		if _, err := with(text); err == nil || !strings.Contains(err.Error(), finding) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
