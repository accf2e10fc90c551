package config

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/lanyardhq/lanyard/internal/source"
)

// path reads a path, relative to the configuration's folder; empty when the key is missing.
func (p *parser) path(m source.Mapping, key string) string {
	e, ok := m.Find(key)
	if !ok {
		return ""
	}
	s, ok := e.Value.Text()
	if !ok {
		return ""
	}
	return p.absolute(s)
}

// absolute starts relative paths from the configuration's folder.
func (p *parser) absolute(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.base, path)
	}
	return filepath.Clean(path)
}

func (p *parser) needPath(m source.Mapping, key string) (string, bool) {
	if _, ok := m.Need(key); !ok {
		return "", false
	}
	s := p.path(m, key)
	return s, s != ""
}

func (p *parser) database(m source.Mapping) {
	c := p.config
	c.DatabaseFile = p.path(m, "database_file")
	e, ok := m.Find("database")
	if !ok {
		if c.DatabaseFile != "" {
			other, _ := m.Find("database_file")
			c.longLived = append(c.longLived, other.Value.Finding(
				"database_file %s: the database's password; let PostgreSQL take a client certificate or the Unix user instead, and write the URL without password under `database`", c.DatabaseFile))
		}
		return
	}
	if c.DatabaseFile != "" {
		e.At.Report("write either `database` or `database_file`")
	}
	s, ok := e.Value.Text()
	if !ok {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		e.Value.Report("the database is a PostgreSQL URL, postgres://user@host/name; leave it out for SQLite in the data folder")
		return
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") || u.Query().Has("sslpassword") {
		e.Value.Report("a secret is never written in place; put the whole URL into a file that only Lanyard may read, and name that with `database_file`")
		return
	}
	c.Database = s
}

func (p *parser) encryptionKey(m source.Mapping) {
	c := p.config
	var ok bool
	if c.EncryptionKeyFile, ok = p.needPath(m, "encryption_key_file"); !ok || c.Data == "" {
		return
	}
	if within(c.Data, c.EncryptionKeyFile) {
		e, _ := m.Find("encryption_key_file")
		e.Value.Report("the key lies in the data folder that it protects; a copy of the one must not be a copy of both, so keep it elsewhere")
	}
}

// within reports whether path lies in folder, as written or after links are followed.
func within(folder, path string) bool {
	inside := func(folder, path string) bool {
		relative, err := filepath.Rel(folder, path)
		return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
	}
	return inside(folder, path) || inside(resolved(folder), resolved(path))
}

// resolved follows the links of as much of a path as there is.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolved(parent), filepath.Base(path))
}
