package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Bounds of what a registry says about an image, in bytes.
const (
	maxManifest = 8 << 20
	maxConfig   = 8 << 20
)

// described is an image as its registry describes it; nothing of its files was asked for.
type described struct {
	digest   string // of the manifest for this machine's processor
	manifest *v1.Manifest
	config   *v1.ConfigFile
	options  []remote.Option // with which its layers can be asked for
}

// describe asks a registry for the manifest and the configuration of the image for this machine's processor.
func (s *Store) describe(ctx context.Context, ref Reference, user, password string) (described, error) {
	options := []remote.Option{
		remote.WithTransport(careful{s.web, s.plain}),
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

func describe(ref Reference, options []remote.Option) (described, error) {
	im, err := remote.Image(ref.ref, options...)
	if err != nil {
		return described{}, err
	}
	manifest, err := im.Manifest()
	if err != nil {
		return described{}, err
	}
	if manifest.Config.Size > maxConfig {
		return described{}, problem.New(problem.TooLarge, "The image %s describes itself in %d bytes; at most %d are read.", ref, manifest.Config.Size, maxConfig)
	}
	config, err := im.ConfigFile()
	if err != nil {
		return described{}, err
	}
	digest, err := im.Digest()
	if err != nil {
		return described{}, err
	}
	return described{digest: digest.String(), manifest: manifest, config: config}, nil
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
	var p *problem.Error
	if errors.As(err, &p) {
		return err
	}
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return problem.Wrap(err, problem.Denied, "The registry %s does not let the image %s be pulled with the credential that Lanyard has for it (or without one): %s. An administrator names a credential under registries in lanyard.yaml.", ref.Host(), ref, http.StatusText(answer.StatusCode))
		case http.StatusNotFound:
			return problem.Wrap(err, problem.NotFound, "The registry %s has no image %s, or hides it from the credential that Lanyard has for it.", ref.Host(), ref)
		case http.StatusTooManyRequests:
			return problem.Wrap(err, problem.Unavailable, "The registry %s answers that it was asked too often; a credential for it under registries in lanyard.yaml usually raises its limit.", ref.Host())
		}
		return problem.Wrap(err, problem.BadUpstream, "The registry %s cannot give the image %s: it answers %d.", ref.Host(), ref, answer.StatusCode)
	}
	if strings.Contains(err.Error(), "no child with platform") {
		return problem.Wrap(err, problem.NotFound, "The image %s is not made for this machine (linux/%s).", ref, runtime.GOARCH)
	}
	if netErr, ok := errors.AsType[net.Error](err); ok {
		cause := netErr.Error()
		if op, ok := errors.AsType[*net.OpError](err); ok {
			cause = op.Error()
		}
		return problem.Wrap(err, problem.BadUpstream, "The registry %s cannot be reached: %s.", ref.Host(), cause)
	}
	return problem.Wrap(err, problem.BadUpstream, "The image %s cannot be pulled: %v.", ref, err)
}

// careful is a transport that sends nothing in the clear and reads no endless manifest.
type careful struct {
	next  http.RoundTripper
	plain map[string]bool
}

func (c careful) RoundTrip(r *http.Request) (*http.Response, error) {
	// A registry names the address where its password is to be sent; that one has to be as safe as itself.
	if r.URL.Scheme != "https" && !loopback(r.URL.Hostname()) && !c.plain[strings.ToLower(r.URL.Host)] {
		return nil, problem.New(problem.Invalid, "%s is asked without TLS, which Lanyard does not do; name it under registries with plain_http: true if its network can be trusted.", r.URL.Host)
	}
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if strings.Contains(r.URL.Path, "/manifests/") {
		answer.Body = bounded{io.LimitReader(answer.Body, maxManifest), answer.Body}
	}
	return answer, nil
}

type bounded struct {
	io.Reader
	io.Closer
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func layerName(i, n int, size int64) string {
	return fmt.Sprintf("pulling layer %d of %d (%.1f MB)", i+1, n, float64(size)/1e6)
}
