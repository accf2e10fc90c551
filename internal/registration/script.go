package registration

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Script is the plan as commands of the Azure CLI, for bash, for those who would rather read and run these.
func (p Plan) Script(graph string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `#!/usr/bin/env bash
# Registers Lanyard in the tenant %s. Sign in first: az login --tenant %s --allow-no-subscriptions
set -euo pipefail

once() { az rest --method "$1" --url %s"$2" --headers Content-Type=application/json "${@:3}"; }
# What was just made is not known everywhere in the tenant at once.
graph() { for _ in $(seq 24); do once "$@" && return; sleep 5; done; return 1; }
`, oneLine(p.Tenant.Name), p.Tenant.ID, quoted(graph))
	used := p.used()
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if used[name] {
			fmt.Fprintf(&b, "%s=%s\n", variable(name), quoted(p.values[name]))
		}
	}
	for _, step := range p.Steps {
		fmt.Fprintf(&b, "\n# %s\n", oneLine(step.Says))
		for _, d := range step.Details {
			for line := range strings.Lines(d) {
				fmt.Fprintf(&b, "#   %s\n", oneLine(line))
			}
		}
		if step.request == nil {
			b.WriteString(strings.Join(step.shell, "\n") + "\n")
			continue
		}
		if err := step.request.script(&b); err != nil {
			return "", err
		}
	}
	if len(p.Steps) == 0 {
		b.WriteString("\n# There is nothing to do.\n")
	}
	b.WriteString("\n" + `echo "entra:"` + "\n")
	fmt.Fprintf(&b, "echo \"  tenant: %s\"\n", p.Tenant.ID)
	if used["client"] || p.ClientID != "" {
		if p.ClientID != "" && !used["client"] {
			fmt.Fprintf(&b, "echo \"  client_id: %s\"\n", p.ClientID)
		} else {
			b.WriteString(`echo "  client_id: $CLIENT"` + "\n")
		}
	}
	return b.String(), nil
}

// used are the placeholders that requests hold.
func (p Plan) used() map[string]bool {
	used := map[string]bool{}
	for _, step := range p.Steps {
		if step.request == nil {
			continue
		}
		body, _ := json.Marshal(step.request.body) // of our own making
		for _, m := range placeholder.FindAllStringSubmatch(step.request.path+string(body), -1) {
			if m[0] != braces {
				used[m[1]] = true
			}
		}
	}
	return used
}

// script writes a request. az gives one field of an answer; of a second one the object is asked.
func (r *request) script(b *strings.Builder) error {
	command := "graph "
	if r.makes == theApp || r.makes == theProvisioning { // made twice there would be two
		command = "once "
	}
	command += strings.ToLower(r.method) + " " + interpolated(r.path)
	if r.body != nil {
		body, err := json.Marshal(r.body)
		if err != nil {
			return fmt.Errorf("write a request: %w", err)
		}
		command += " --body " + interpolated(string(body))
	}
	names := slices.Sorted(maps.Keys(r.keeps))
	if len(names) == 0 {
		fmt.Fprintf(b, "%s --output none\n", command)
		return nil
	}
	first := r.makes
	if first == "" {
		first = names[0]
	}
	fmt.Fprintf(b, "%s=$(%s --query %s --output tsv)\n", variable(first), command, r.keeps[first])
	for _, name := range names {
		if name != first {
			field := r.keeps[name][strings.LastIndexByte(r.keeps[name], '.')+1:]
			fmt.Fprintf(b, "%s=$(graph get %s/\"$%s\" --query %s --output tsv)\n", variable(name), quoted(cmp.Or(r.at, r.path)), variable(first), field)
		}
	}
	return nil
}

// variable is the shell's name of a placeholder.
func variable(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// quoted is a word of the shell that stands for itself.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// interpolated is a word in which placeholders are the shell's variables.
func interpolated(s string) string {
	return placeholder.ReplaceAllStringFunc(quoted(s), func(m string) string {
		if m == braces {
			return "{{"
		}
		return `'"$` + variable(m[2:len(m)-2]) + `"'`
	})
}

var ends = regexp.MustCompile(`[\x00-\x1f\x7f]+`)

// oneLine keeps a comment a comment.
func oneLine(s string) string { return strings.TrimSpace(ends.ReplaceAllString(s, " ")) }

// opensslFor are the commands that make a certificate.
func opensslFor(name string, c Credential) []string {
	return []string{
		"(umask 077 && openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=Lanyard -keyout " + quoted(c.Key) + ".new -out " + quoted(c.Certificate) + ".crt)",
		"(umask 077 && if [ " + quoted(c.Key) + " = " + quoted(c.Certificate) + " ]; then cat " + quoted(c.Certificate) + ".crt >> " + quoted(c.Key) + ".new; else mv " + quoted(c.Certificate) + ".crt " + quoted(c.Certificate) + "; fi)",
		"mv " + quoted(c.Key) + ".new " + quoted(c.Key) + "; rm -f " + quoted(c.Certificate) + ".crt",
		variable(name) + "=$(openssl x509 -in " + quoted(c.Certificate) + " -outform DER | base64 | tr -d '\\n')",
	}
}
