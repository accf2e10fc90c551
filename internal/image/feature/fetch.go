package feature

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/lanyardhq/lanyard/internal/image/guard"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// archives are the media types of a feature's one layer
// (https://containers.dev/implementors/features-distribution/#oci-registry).
var archives = []string{"application/vnd.devcontainers.layer.v1+tar", "application/vnd.devcontainers.layer.v1+tar+gzip"}

// maxDescription bounds what a feature says of itself, in bytes.
const maxDescription = 256 << 10

// found is a feature with its files.
type found struct {
	description
	ref     string // as it is named
	name    string // without its version: what others name in installsAfter
	version string // tag or digest in ref
	options map[string]string
	digest  string // of the manifest; empty for a folder
	content string // names its files
	files   []file
}

// fetch gets a feature from its registry.
func (i *Installer) fetch(ctx context.Context, ref string, lock map[string]string) (*found, error) {
	from := ref
	if pinned, ok := lock[ref]; ok {
		from = pinned
	}
	parsed, err := name.ParseReference(from)
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "%q is no name of a feature: it looks like ghcr.io/devcontainers/features/go:1.", from)
	}
	host := parsed.Context().RegistryStr()
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(guard.Transport{Next: i.transport, Plain: i.plain, Registry: host}), remote.WithUserAgent("lanyard"),
		remote.WithRetryBackoff(remote.Backoff{Duration: 200 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 3}),
	}
	if i.credential != nil {
		user, password, err := i.credential(ctx, host)
		if err != nil {
			return nil, err
		}
		if user != "" || password != "" {
			options = append(options, remote.WithAuth(&authn.Basic{Username: user, Password: password}))
		}
	}
	f, err := download(ctx, parsed, options)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, explain(ref, host, err)
	}
	f.ref, f.name, f.version, f.content = ref, parsed.Context().Name(), parsed.Identifier(), f.digest
	return f, f.read()
}

func download(ctx context.Context, ref name.Reference, options []remote.Option) (*found, error) {
	got, err := remote.Get(ref, options...)
	if err != nil {
		return nil, err
	}
	manifest, err := v1.ParseManifest(strings.NewReader(string(got.Manifest)))
	if err != nil {
		return nil, err
	}
	if len(manifest.Layers) != 1 || !slices.Contains(archives, string(manifest.Layers[0].MediaType)) {
		return nil, errors.New("it is no feature: features are one archive of their own media type")
	}
	size := manifest.Layers[0].Size
	if size < 0 || size > maxArchive {
		return nil, fmt.Errorf("its archive is larger than %d bytes", maxArchive)
	}
	name := ref.Context().Digest(manifest.Layers[0].Digest.String())
	layer, err := remote.Layer(name, append(slices.Clone(options), remote.WithContext(guard.Layer(ctx, name)))...)
	if err != nil {
		return nil, err
	}
	archive, err := layer.Compressed() // as it lies there; checked against its digest while it is read
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	all := &io.LimitedReader{R: archive, N: size + 1}
	files, err := readFiles(all)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, all); err != nil { // to its end, where the digest is compared
		return nil, err
	}
	if all.N == 0 {
		return nil, fmt.Errorf("its archive is larger than the %d bytes that its manifest names", size)
	}
	return &found{digest: got.Digest.String(), files: files}, nil
}

// local reads a feature from a folder of the repository.
func (o Order) local(ctx context.Context, ref string) (*found, error) {
	if o.Folder == nil {
		return nil, problem.New(problem.Invalid, "The feature %s lies in a repository, and there is none.", ref)
	}
	from, err := o.Folder(ctx, strings.TrimPrefix(ref, "./"))
	if err != nil {
		return nil, err
	}
	defer from.Close()
	files, err := readFiles(from)
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "The feature %s cannot be used: %v.", ref, err)
	}
	sum := sha256.New()
	for _, f := range files {
		fmt.Fprintf(sum, "%q %o %d ", f.name, f.mode, len(f.data))
		sum.Write(f.data)
	}
	f := &found{ref: ref, name: ref, content: hex.EncodeToString(sum.Sum(nil)), files: files}
	return f, f.read()
}

// read reads what a feature says of itself.
func (f *found) read() error {
	text, ok := find(f.files, "devcontainer-feature.json")
	if !ok {
		return problem.New(problem.Invalid, "The feature %s has no devcontainer-feature.json.", f.ref)
	}
	if _, ok := find(f.files, "install.sh"); !ok {
		return problem.New(problem.Invalid, "The feature %s has no install.sh.", f.ref)
	}
	if len(text) > maxDescription {
		return problem.New(problem.TooLarge, "The feature %s describes itself in %d bytes; at most %d are read.", f.ref, len(text), maxDescription)
	}
	var err error
	f.description, err = describe(f.ref, text)
	return err
}

// locked reads devcontainer-lock.json: which digest a name meant when the lock was written.
func locked(text []byte) (map[string]string, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var lock struct {
		Features map[string]struct{ Resolved string } `json:"features"`
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "devcontainer-lock.json cannot be read: %v.", err)
	}
	out := map[string]string{}
	for ref, f := range lock.Features {
		asked, err := name.ParseReference(ref)
		if err != nil {
			continue // a folder of the repository, which needs no lock
		}
		pinned, err := name.NewDigest(f.Resolved)
		if err != nil || pinned.Context().Name() != asked.Context().Name() {
			return nil, problem.New(problem.Invalid, "devcontainer-lock.json pins %s to %q, which is no digest of it.", ref, f.Resolved)
		}
		out[ref] = f.Resolved
	}
	return out, nil
}

// explain makes a registry's answer a person's; credentials are in headers alone.
func explain(ref, host string, err error) error {
	var known *problem.Error
	if errors.As(err, &known) {
		return err
	}
	answer, said := errors.AsType[*transport.Error](err)
	_, silent := errors.AsType[net.Error](err)
	err = errors.New(guard.Short(err.Error())) // it may quote what the registry said
	if said {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return problem.Wrap(err, problem.Denied, "The registry %s does not give the feature %s with the credential that Lanyard has for it, or without one.", host, ref)
		case http.StatusNotFound:
			return problem.Wrap(err, problem.NotFound, "The registry %s has no feature %s.", host, ref)
		}
		return problem.Wrap(err, problem.BadUpstream, "The registry %s cannot give the feature %s: it answers %d.", host, ref, answer.StatusCode)
	}
	if silent {
		return problem.Wrap(err, problem.BadUpstream, "The registry %s, which has the feature %s, cannot be reached.", host, ref)
	}
	return problem.Wrap(err, problem.Invalid, "The feature %s cannot be used: %v.", ref, err)
}
