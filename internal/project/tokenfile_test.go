package project

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
)

func audienceOf(t *testing.T, lines string) (Audience, string) {
	t.Helper()
	r := &source.Reader{File: "payments.yaml"}
	m, ok := r.Document("resource:\n  " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n  ") + "\n")
	if !ok {
		t.Fatal(r.Findings)
	}
	e, _ := m.Find("resource")
	a, _, _ := readAudience(e.Value)
	return a, r.Findings.Error()
}

func TestTokenFiles(t *testing.T) {
	const google = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/dev/providers/lanyard"
	for name, c := range map[string]struct {
		text  string
		want  TokenFile
		holds bool
	}{
		"aws":     {"audience: aws\naud: sts.amazonaws.com\nkind: federation\nfile: {for: aws, role: \"arn:aws:iam::123456789012:role/dev\", region: eu-central-1}", TokenFile{For: ForAWS, Role: "arn:aws:iam::123456789012:role/dev", Region: "eu-central-1"}, true},
		"azure":   {"audience: azure\naud: api://AzureADTokenExchange\nkind: federation\nfile: {for: azure, client_id: 11111111-1111-1111-1111-111111111111, tenant_id: 22222222-2222-2222-2222-222222222222}", TokenFile{For: ForAzure, Client: "11111111-1111-1111-1111-111111111111", Tenant: "22222222-2222-2222-2222-222222222222"}, true},
		"google":  {"audience: gcp\naud: " + google + "\nkind: federation\nfile: {for: google, service_account: dev@payments.iam.gserviceaccount.com}", TokenFile{For: ForGoogle, ServiceAccount: "dev@payments.iam.gserviceaccount.com"}, false},
		"cluster": {"audience: cluster\nfile: {for: kubernetes, server: \"https://k8s.example.test:6443\"}", TokenFile{For: ForKubernetes, Server: "https://k8s.example.test:6443"}, false},
		"any":     {"audience: ledger\nfile: {for: programs}", TokenFile{For: ForPrograms}, true},
	} {
		a, wrong := audienceOf(t, c.text)
		if wrong != "" || a.File == nil || *a.File != c.want || a.File.Holds() != c.holds {
			t.Errorf("%s: %+v, %s", name, a.File, wrong)
		}
	}
}

func TestTokenFilesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"no program":         {"audience: a\nfile: {role: x}", "for"},
		"an unknown program": {"audience: my-a\nfile: {for: oracle}", "LANYARD_TOKEN_FILE_MY_A"},
		"a key of another":   {"audience: a\nfile: {for: programs, role: x}", "role"},
		"no role":            {"audience: a\nfile: {for: aws}", "role"},
		"a role with lines":  {"audience: a\nfile: {for: aws, role: \"arn:aws:iam::123456789012:role/a\\nb\"}", "ARN"},
		"a name as tenant":   {"audience: a\nfile: {for: azure, client_id: 11111111-1111-1111-1111-111111111111, tenant_id: contoso}", "tenant's ID"},
		"Google elsewhere":   {"audience: a\naud: sts.amazonaws.com\nfile: {for: google}", "workload identity provider"},
		"a plain server":     {"audience: a\nfile: {for: kubernetes, server: \"http://k8s.example.test\"}", "https"},
		"a key as authority": {"audience: a\nfile: {for: kubernetes, server: \"https://k8s.example.test\", authority: x}", "PEM"},
		"long-lived":         {"audience: a\nlifetime: 30m\nfile: {for: programs}", "at most 10m"},
		"sensitive":          {"audience: a\nsensitive: c1\nfile: {for: programs}", "sensitive"},
	} {
		if _, wrong := audienceOf(t, c.text); !strings.Contains(wrong, c.says) {
			t.Errorf("%s: %q", name, wrong)
		}
	}
	if a, wrong := audienceOf(t, "audience: a\nkind: federation\nlifetime: 5m\nfile: {for: programs}"); wrong != "" || a.Lifetime != 5*time.Minute {
		t.Errorf("%+v %s", a, wrong)
	}
}

// Tokens in files of workspaces are listed, and two of a program's, which looks in one place, are a finding.
func TestTokenFilesAreListed(t *testing.T) {
	const one = "project: payments\nresources:\n  - {audience: aws, aud: sts.amazonaws.com, kind: federation, file: {for: aws, role: \"arn:aws:iam::123456789012:role/dev\"}}\n" +
		"  - {audience: a, file: {for: kubernetes, server: \"https://a.example.test\"}}\n  - {audience: b, file: {for: kubernetes, server: \"https://b.example.test\"}}\n  - {audience: c}\n"
	r, err := Parse(Input{Tenant: tenant, Revision: Revision{Projects: map[string]string{"p.yaml": one}}})
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Set.TokenFiles(); len(f) != 1 || f[0].Line != 3 || !strings.Contains(f[0].Message, "sts.amazonaws.com") || !strings.Contains(f[0].Message, "10m0s") {
		t.Errorf("%+v", f)
	}
	const two = one + "  - {audience: aws-two, file: {for: aws, role: \"arn:aws:iam::123456789012:role/ops\"}}\n"
	if _, err := Parse(Input{Tenant: tenant, Revision: Revision{Projects: map[string]string{"p.yaml": two}}}); err == nil || !strings.Contains(err.Error(), "a file for aws of the project is already at p.yaml:3") {
		t.Errorf("two files for AWS: %v", err)
	}
}
