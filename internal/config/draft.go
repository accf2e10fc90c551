package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/source"
)

// ReadDraft reads a configuration that may lack the tenant, the client ID and the credential, which `lanyard entra setup`
// writes. Everything else is checked as Read does.
func ReadDraft(path string) (*Config, error) { return read(path, true) }

// need finds a key that has to be there in all but a draft.
func (p *parser) need(m source.Mapping, key string) (source.Entry, bool) {
	if p.draft {
		return m.Find(key)
	}
	return m.Need(key)
}

// Registration is what `lanyard entra setup` knows of the app registration.
type Registration struct {
	Tenant, ClientID string
	Credentials      []credential.Files // all of them; as they are written: a relative path starts from the configuration's folder
	// Admin and Auditor are the app roles that the roles of the whole are given to where the file says nothing of roles.
	Admin, Auditor string
}

// WriteEntra puts a registration into the `entra` part of a configuration file. What else stands in the file stays as it
// is, to the letter, and so does the whole file where it says all that already.
func WriteEntra(path string, r Registration) (changed bool, err error) {
	failed := func(err error) (bool, error) {
		return false, fmt.Errorf("write the app registration into %s: %w", path, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return failed(err)
	}
	after, err := withEntra(string(before), r)
	if err != nil {
		return failed(err)
	}
	if after == string(before) {
		return false, nil
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return failed(err)
	}
	if _, err := Parse(path, filepath.Dir(absolute), after); err != nil { // a bad configuration is never written
		return failed(err)
	}
	if err := replace(path, []byte(after)); err != nil {
		return failed(err)
	}
	return true, nil
}

// replace puts a text in a file's place in one step, with the mode and, where that is allowed, the owner it had.
func replace(path string, text []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".lanyard-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone when it was renamed
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(info.Mode().Perm()), GiveLike(f, path), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// withEntra is the text of a configuration with the registration in it.
func withEntra(text string, r Registration) (string, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return "", err
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode || root.Content[0].Style&yaml.FlowStyle != 0 {
		return "", errors.New("the file is not a mapping with a key on each line")
	}
	top := root.Content[0]
	entra := &yaml.Node{Kind: yaml.MappingNode}
	from, to := -1, -1 // lines, from 0; to is the line after the part
	for i := 0; i+1 < len(top.Content); i += 2 {
		if top.Content[i].Value != "entra" {
			continue
		}
		if top.Content[i+1].Kind == yaml.MappingNode {
			entra = top.Content[i+1]
		}
		from, to = top.Content[i].Line-1, strings.Count(text, "\n")+1
		if i+2 < len(top.Content) {
			to = top.Content[i+2].Line - 1
		}
	}
	if !set(entra, r) {
		return withRoles(text, top, r), nil
	}
	part, err := render(entra)
	if err != nil {
		return "", err
	}
	if from < 0 {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return withRoles(text+part, top, r), nil
	}
	lines := strings.SplitAfter(text, "\n")
	to = min(to, len(lines))
	for to > from+1 && ofNext(lines[to-1]) {
		to--
	}
	return withRoles(strings.Join(lines[:from], "")+part+strings.Join(lines[to:], ""), top, r), nil
}

// withRoles adds the roles of the whole at the end, where the file has none.
func withRoles(text string, top *yaml.Node, r Registration) string {
	for i := 0; i < len(top.Content); i += 2 {
		if top.Content[i].Value == "roles" {
			return text
		}
	}
	if r.Admin == "" {
		return text
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + "roles:\n  admin: [\"app-role:" + r.Admin + "\"]\n  auditor: [\"app-role:" + r.Auditor + "\"]\n"
}

// ofNext says that a line before a key belongs to that key, or to nothing: it is empty, or a comment at its left edge.
func ofNext(line string) bool {
	return strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#")
}

// set puts the registration into the mapping, and says whether that changed anything.
func set(entra *yaml.Node, r Registration) bool {
	changed := false
	put := func(key string, value *yaml.Node) {
		for i := 0; i+1 < len(entra.Content); i += 2 {
			if entra.Content[i].Value != key {
				continue
			}
			if same(entra.Content[i+1], value) {
				return
			}
			value.LineComment = entra.Content[i+1].LineComment
			entra.Content[i+1], changed = value, true
			return
		}
		entra.Content, changed = append(entra.Content, word(key), value), true
	}
	put("tenant", word(r.Tenant))
	put("client_id", word(r.ClientID))
	if len(r.Credentials) == 0 {
		return changed
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, f := range r.Credentials {
		one := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, file := range []struct{ key, path string }{
			{"federated_token_file", f.FederatedToken}, {"certificate_file", f.Certificate}, {"key_file", f.Key}, {"secret_file", f.Secret},
		} {
			if file.path != "" {
				one.Content = append(one.Content, word(file.key), word(file.path))
			}
		}
		list.Content = append(list.Content, one)
	}
	if len(list.Content) == 1 {
		list = list.Content[0]
	}
	put("credential", list)
	return changed
}

func word(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Kind == yaml.ScalarNode && !strings.EqualFold(a.Value, b.Value) || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// render writes the part with its key.
func render(entra *yaml.Node) (string, error) {
	entra.Style, entra.HeadComment, entra.FootComment = 0, "", ""
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err := e.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{word("entra"), entra}})
	if err = errors.Join(err, e.Close()); err != nil {
		return "", err
	}
	return b.String(), nil
}
