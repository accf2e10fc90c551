package feature

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxContext bounds what is built from, in bytes.
const maxContext = 128 << 20

func errTogether() error {
	return problem.New(problem.TooLarge, "The features of the workspace are larger than %d MiB together. Leave out those that it does not need.", maxContext>>20)
}

// assemble writes Dockerfile and context. The same order gives the same bytes.
func assemble(o Order, nodes []*node) (Prepared, error) {
	p := Prepared{Dockerfile: "Dockerfile", base: o.Base.Image.Ref}
	metadata, err := label(o.Base.Metadata, nodes)
	if err != nil {
		return p, err
	}
	p.Metadata = metadata
	user := o.User
	if user == "" {
		user = o.Base.User
	}
	if strings.ContainsFunc(o.Base.User+o.Base.Image.Ref, func(c rune) bool { return c <= ' ' }) {
		return p, problem.New(problem.Invalid, "The image's user %q is no name.", o.Base.User)
	}
	var docker strings.Builder
	fmt.Fprintf(&docker, "FROM %s\nUSER root\n", o.Base.Image.Ref)
	var archive bytes.Buffer
	t := tar.NewWriter(&archive)
	for i, n := range nodes {
		folder := strconv.Itoa(i)
		for _, name := range slices.Sorted(maps.Keys(n.ContainerEnv)) {
			if !variableName(name) || strings.ContainsAny(n.ContainerEnv[name], "\n\r\x00") {
				return p, problem.New(problem.Invalid, "The feature %s sets the variable %.80q in a way that no image can have it.", n.ref, name)
			}
			fmt.Fprintf(&docker, "ENV %s=%s\n", name, dockerQuoted(n.ContainerEnv[name], false))
		}
		fmt.Fprintf(&docker, "COPY %s /tmp/lanyard-feature-%s/\nRUN sh /tmp/lanyard-feature-%s/lanyard-install.sh\n", folder, folder, folder)
		files := append(slices.Clone(n.files), file{name: "lanyard-install.sh", mode: 0o755, data: []byte(script(n, folder, o.Base.User, user))})
		for _, f := range files {
			if err := write(t, folder+"/"+f.name, f.mode|0o444, f.data); err != nil {
				return p, err
			}
			if archive.Len() > maxContext {
				return p, errTogether()
			}
		}
		p.Installed = append(p.Installed, Installed{Ref: n.ref, ID: n.ID, Version: n.Version, Digest: n.digest})
	}
	if o.Base.User != "" {
		fmt.Fprintf(&docker, "USER %s\n", o.Base.User)
	}
	fmt.Fprintf(&docker, "LABEL devcontainer.metadata=%s\n", dockerQuoted(metadata, true))
	if err := write(t, p.Dockerfile, 0o644, []byte(docker.String())); err != nil {
		return p, err
	}
	if err := t.Close(); err != nil {
		return p, fmt.Errorf("writing the features' build context: %w", err)
	}
	sum := sha256.Sum256(archive.Bytes())
	p.tar, p.Key = archive.Bytes(), "features-"+hex.EncodeToString(sum[:])
	return p, nil
}

// Context opens what is built from.
func (p Prepared) Context(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(p.tar)), nil
}

func write(t *tar.Writer, name string, mode int64, data []byte) error {
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data)), Format: tar.FormatPAX})
	if err == nil {
		_, err = t.Write(data)
	}
	if err != nil {
		return fmt.Errorf("writing the features' build context: %w", err)
	}
	return nil
}

// script runs install.sh as the specification says (https://containers.dev/implementors/features/#invoking-installsh): as
// root, in its own folder, with its options and the users that the workspace has as variables.
func script(n *node, folder, containerUser, remoteUser string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "set -e\ncd /tmp/lanyard-feature-%s\n", folder)
	users := map[string]string{"_CONTAINER_USER": containerUser, "_REMOTE_USER": remoteUser}
	for _, name := range slices.Sorted(maps.Keys(users)) {
		user, _, _ := strings.Cut(users[name], ":")
		if user == "" {
			user = "root"
		}
		fmt.Fprintf(&b, "export %s=%s\n", name, shellQuoted(user))
		fmt.Fprintf(&b, "%s_HOME=$( (getent passwd \"$%s\" || grep -E \"^$%s:|^[^:]*:[^:]*:$%s:\" /etc/passwd || true) | head -n 1 | cut -d: -f6)\nexport %s_HOME=\"${%s_HOME:-/root}\"\n",
			name, name, name, name, name, name)
	}
	options := n.variables(n.options)
	var env strings.Builder
	for _, name := range slices.Sorted(maps.Keys(options)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, shellQuoted(options[name]))
		fmt.Fprintf(&env, "%s=%s\n", name, shellQuoted(options[name]))
	}
	// Some source the file beside them instead.
	fmt.Fprintf(&b, "cat >devcontainer-features.env <<'LANYARD_END_OF_OPTIONS'\n%sLANYARD_END_OF_OPTIONS\n", env.String())
	fmt.Fprintf(&b, "chmod +x install.sh\nif ! ./install.sh; then\n  echo %s >&2\n  exit 1\nfi\ncd /\nrm -rf /tmp/lanyard-feature-%s\n",
		shellQuoted("The feature "+n.ref+" could not be installed; what went before says why."), folder)
	return b.String()
}

// label joins what the base says of itself and what each feature does.
func label(base string, nodes []*node) (string, error) {
	var all []json.RawMessage
	if base != "" {
		if json.Unmarshal([]byte(base), &all) != nil {
			if !json.Valid([]byte(base)) {
				return "", problem.New(problem.Invalid, "The image's label devcontainer.metadata is no JSON.")
			}
			all = []json.RawMessage{json.RawMessage(base)}
		}
	}
	for _, n := range nodes {
		one, err := json.Marshal(n.label(n.ref))
		if err != nil {
			return "", fmt.Errorf("writing the image's metadata: %w", err)
		}
		all = append(all, one)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("writing the image's metadata: %w", err)
	}
	return string(text), nil
}

func variableName(s string) bool {
	return s != "" && (s[0] < '0' || s[0] > '9') && !notInOption.MatchString(s)
}

func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// dockerQuoted quotes for a Dockerfile, in which variables are filled in (ENV PATH of a feature wants that) or not.
func dockerQuoted(s string, literal bool) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	if literal {
		s = strings.ReplaceAll(s, "$", `\$`)
	}
	return `"` + s + `"`
}
