package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
)

// Audit is what the audit log does besides being kept.
type Audit struct {
	Checkpoints []string      // files that signed checkpoints are appended to
	Remotes     []AuditRemote // addresses that they are PUT to
	Retention   time.Duration // age at which events' bodies are removed; 0: never
	Exports     []AuditExport
}

// AuditRemote is an address for checkpoints.
type AuditRemote struct{ URL, BearerFile string }

// AuditExport is a receiver of all events. One of OTLP, Syslog and File is set.
type AuditExport struct {
	Name               string
	OTLP, Syslog, File string
	BearerFile, CAFile string
}

// auditLog reads `audit`.
func (p *parser) auditLog(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"checkpoints", "retention", "export"}, nil)
	p.checkpoints(m)
	if e, ok := m.Find("retention"); ok {
		p.config.Audit.Retention = days(e.Value)
	}
	e, ok := m.Find("export")
	if !ok {
		return
	}
	names := map[string]bool{}
	items, _ := e.Value.List()
	for _, item := range items {
		if x, ok := p.auditExport(item); ok {
			if names[x.Name] {
				item.Report("the name %q is given twice; how far a receiver has come is kept under its name", x.Name)
			}
			names[x.Name] = true
			p.config.Audit.Exports = append(p.config.Audit.Exports, x)
		}
	}
}

// checkpoints reads where copies go: a path, a mapping {url, bearer_file}, or a list of these.
func (p *parser) checkpoints(m source.Mapping) {
	e, ok := m.Find("checkpoints")
	if !ok {
		return
	}
	items := []source.Value{e.Value}
	if !e.Value.IsText() && !e.Value.IsMapping() {
		items, _ = e.Value.List()
	}
	for _, item := range items {
		if !item.IsMapping() {
			if s, ok := item.Text(); ok && s != "" {
				p.config.Audit.Checkpoints = append(p.config.Audit.Checkpoints, p.absolute(s))
			}
			continue
		}
		inner, ok := item.Mapping()
		if !ok {
			continue
		}
		inner.Keys([]string{"url", "bearer_file"}, map[string]string{"bearer": inPlace + "bearer_file"})
		at, ok := inner.Need("url")
		if !ok {
			continue
		}
		s, ok := at.Value.Text()
		if !ok {
			continue
		}
		if u, ok := p.address(at.Value, s); ok && p.encrypted(at.Value, u) {
			p.config.Audit.Remotes = append(p.config.Audit.Remotes, AuditRemote{URL: s, BearerFile: p.bearerFile(inner)})
		}
	}
}

// bearerFile reads which file a receiver's token is in.
func (p *parser) bearerFile(m source.Mapping) string {
	file := p.path(m, "bearer_file")
	if e, ok := m.Find("bearer_file"); ok && file != "" {
		p.config.longLived = append(p.config.longLived, e.Value.Finding(
			"bearer_file %s: a token for where the audit log goes; let something renew the file, which is read again for each request", file))
	}
	return file
}

// check looks at the files and folders that are named, and returns those that are secrets.
func (a Audit) check(report func(error)) (private []string) {
	folder := func(file string) {
		if info, err := os.Stat(filepath.Dir(file)); err != nil {
			report(fmt.Errorf("the folder of %s: %w", file, err))
		} else if !info.IsDir() {
			report(fmt.Errorf("%s is not a folder", filepath.Dir(file)))
		}
	}
	for _, file := range a.Checkpoints {
		folder(file)
	}
	for _, r := range a.Remotes {
		private = append(private, r.BearerFile)
	}
	for _, x := range a.Exports {
		if x.File != "" {
			folder(x.File)
		}
		if x.CAFile != "" {
			_, err := os.Stat(x.CAFile)
			report(err)
		}
		private = append(private, x.BearerFile)
	}
	private = slices.DeleteFunc(private, func(file string) bool { return file == "" })
	for _, file := range private {
		_, err := ReadSecret(file)
		report(err)
	}
	return private
}

// encrypted refuses what would go over a network in the clear.
func (p *parser) encrypted(v source.Value, u *url.URL) bool {
	if (u.Scheme == "http" || u.Scheme == "tcp") && !loopback(u.Hostname()) {
		v.Report("the audit log names people; beyond this machine it goes over TLS (https://, tls://)")
		return false
	}
	return true
}

var exportName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)

func (p *parser) auditExport(v source.Value) (x AuditExport, ok bool) {
	m, ok := v.Mapping()
	if !ok {
		return x, false
	}
	m.Keys([]string{"name", "otlp", "syslog", "file", "bearer_file", "ca_file"}, map[string]string{"bearer": inPlace + "bearer_file"})
	name, ok := m.Need("name")
	if !ok {
		return x, false
	}
	if x.Name, ok = name.Value.Text(); !ok || !exportName.MatchString(x.Name) {
		name.Value.Report("a name is a small letter, then small letters, digits and hyphens, 41 at most")
		return x, false
	}
	x.File, x.BearerFile, x.CAFile = p.path(m, "file"), p.bearerFile(m), p.path(m, "ca_file")
	kinds := 0
	if x.File != "" {
		kinds++
	}
	if e, found := m.Find("otlp"); found {
		kinds++
		s, ok := e.Value.Text()
		if !ok {
			return x, false
		}
		u, ok := p.address(e.Value, s)
		if !ok || !p.encrypted(e.Value, u) {
			return x, false
		}
		x.OTLP = s
	}
	if e, found := m.Find("syslog"); found {
		kinds++
		s, ok := e.Value.Text()
		if !ok {
			return x, false
		}
		u, err := url.Parse(s)
		switch {
		case err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "",
			u.Scheme == "unix" && (u.Host != "" || u.Path == ""),
			u.Scheme != "unix" && (u.Scheme != "tcp" && u.Scheme != "tls" || u.Port() == "" || u.Path != ""):
			e.Value.Report("a syslog server is tls://host:port, tcp://host:port or unix:///path")
			return x, false
		}
		if !p.encrypted(e.Value, u) {
			return x, false
		}
		x.Syslog = s
	}
	if kinds != 1 {
		v.Report("name one receiver: otlp, syslog or file")
		return x, false
	}
	return x, true
}

// days reads a time span of whole days, such as 400d.
func days(v source.Value) time.Duration {
	s, ok := v.Text()
	if !ok {
		return 0
	}
	number, ok := strings.CutSuffix(s, "d")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 || n > 36500 {
		v.Report("retention is a number of days, such as 400d")
		return 0
	}
	return time.Duration(n) * 24 * time.Hour
}
