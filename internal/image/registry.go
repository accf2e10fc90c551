package image

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/lanyardhq/lanyard/internal/image/guard"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// described is an image as its registry describes it; nothing of its files was asked for.
type described struct {
	digest   string // of the manifest for this machine's processor
	manifest *v1.Manifest
	config   *v1.ConfigFile
	raw      []byte          // configuration as it is stored, whose digest the manifest names
	options  []remote.Option // with which its layers can be asked for
}

// describe asks a registry for the manifest and the configuration of the image for this machine's processor.
func (s *Store) describe(ctx context.Context, ref Reference, user, password string) (described, error) {
	options := []remote.Option{
		remote.WithTransport(s.guarded(ref.Host())),
		remote.WithUserAgent("lanyard"),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}),
		// Few and short: what is wrong is to be said while the person still looks.
		remote.WithRetryBackoff(remote.Backoff{Duration: 200 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 3}),
	}
	if user != "" || password != "" {
		options = append(options, remote.WithAuth(&authn.Basic{Username: user, Password: password}))
	}
	d, err := describe(ref, append(options, remote.WithContext(ctx)))
	d.options = options
	if err != nil {
		if ctx.Err() != nil {
			return described{}, context.Cause(ctx)
		}
		return described{}, explain(ref, err)
	}
	return d, s.check(ref, d)
}

// guarded is the transport with which a registry is asked.
func (s *Store) guarded(registry string) http.RoundTripper {
	return guard.Transport{Next: s.web, Plain: s.plain, Registry: registry}
}

func describe(ref Reference, options []remote.Option) (described, error) {
	im, err := remote.Image(ref.ref, options...)
	if err != nil {
		return described{}, err
	}
	manifest, err := im.Manifest()
	if err != nil {
		return described{}, err
	}
	// Below 0 means to who asks for it that nobody knows how much there is.
	if size := manifest.Config.Size; size < 0 || size > guard.MaxAnswer {
		return described{}, problem.New(problem.TooLarge, "The image %s describes itself in %d bytes; at most %d are read.", ref, size, guard.MaxAnswer)
	}
	config, err := im.ConfigFile()
	if err != nil {
		return described{}, err
	}
	raw, err := im.RawConfigFile()
	if err != nil {
		return described{}, err
	}
	digest, err := im.Digest()
	if err != nil {
		return described{}, err
	}
	return described{digest: digest.String(), manifest: manifest, config: config, raw: raw}, nil
}

// check refuses what could not be unpacked before a byte of it is fetched.
func (s *Store) check(ref Reference, d described) error {
	if config := d.config; config.OS != "" && config.OS != "linux" || config.Architecture != "" && config.Architecture != runtime.GOARCH {
		return problem.New(problem.Invalid, "The image %s is for %s/%s, and this machine is linux/%s.", ref, config.OS, config.Architecture, runtime.GOARCH)
	}
	layers := d.manifest.Layers
	if len(layers) > s.bounds.Layers {
		return problem.New(problem.TooLarge, "The image %s has %d layers; at most %d are taken.", ref, len(layers), s.bounds.Layers)
	}
	if len(layers) != len(d.config.RootFS.DiffIDs) {
		return problem.New(problem.Invalid, "The image %s is broken: its manifest has %d layers, its configuration %d.", ref, len(layers), len(d.config.RootFS.DiffIDs))
	}
	var sum int64
	for _, l := range layers {
		// A layer from elsewhere would be fetched by the server from wherever the image says.
		if len(l.URLs) > 0 || !l.MediaType.IsDistributable() {
			return problem.New(problem.Invalid, "The image %s has a layer that does not lie on its registry, and such layers are not fetched.", ref)
		}
		if !l.MediaType.IsLayer() {
			return problem.New(problem.Invalid, "%s is no image of a container: it holds %q.", ref, l.MediaType)
		}
		if l.Size < 0 || l.Size > s.bounds.Compressed-sum {
			return problem.New(problem.TooLarge, "The image %s is larger than the %d bytes that may be pulled.", ref, s.bounds.Compressed)
		}
		sum += l.Size
	}
	return nil
}

// explain makes a registry's answer a person's. It never holds a credential: those are in headers alone.
func explain(ref Reference, err error) error {
	if p, ok := errors.AsType[*problem.Error](err); ok {
		return p // without what is around it: the address that was asked
	}
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		err = errors.New(guard.Short(err.Error())) // it quotes what the registry said
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return problem.Wrap(err, problem.Denied, "The registry %s does not let the image %s be pulled with the credential that Lanyard has for it (or without one): %s. Store your own with `lanyard registry login %s`, or an administrator names one under registries in lanyard.yaml.", ref.Host(), ref, http.StatusText(answer.StatusCode), ref.Host())
		case http.StatusNotFound:
			return problem.Wrap(err, problem.NotFound, "The registry %s has no image %s, or hides it from the credential that Lanyard has for it.", ref.Host(), ref)
		case http.StatusTooManyRequests:
			return problem.Wrap(err, problem.Unavailable, "The registry %s answers that it was asked too often; a credential for it under registries in lanyard.yaml usually raises its limit.", ref.Host())
		}
		return problem.Wrap(err, problem.BadUpstream, "The registry %s cannot give the image %s: it answers %d.", ref.Host(), ref, answer.StatusCode)
	}
	if strings.Contains(err.Error(), "no child with platform") {
		return problem.New(problem.NotFound, "The image %s is not made for this machine (linux/%s).", ref, runtime.GOARCH)
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return problem.New(problem.BadUpstream, "The registry %s cannot be reached: %s.", ref.Host(), cause(err))
	}
	return problem.New(problem.BadUpstream, "The image %s cannot be pulled: %s.", ref, cause(err))
}

func layerName(i, n int, size int64) string {
	return fmt.Sprintf("pulling layer %d of %d (%.1f MB)", i+1, n, float64(size)/1e6)
}
