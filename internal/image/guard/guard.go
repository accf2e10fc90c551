// Package guard is the transport below whatever asks registries of images: it sends nothing in the clear, and reads no answer that
// has no end, whoever gives it. A registry chooses where its tokens, its errors and its layers come from; so nothing here goes by
// what an address looks like.
package guard

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Bounds of an answer. Registries are to take manifests of at least 4 MiB
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests), so none in use is larger.
const (
	MaxAnswer = 4 << 20  // bytes: manifests, configurations, tokens
	maxError  = 64 << 10 // bytes of what a registry says beside a status that is no success
	leastPace = 64 << 10 // bytes of a layer within the time of a whole other answer
	within    = time.Minute
)

// Transport asks one registry, and where that one sends.
type Transport struct {
	Next http.RoundTripper
	// Plain are registry hosts, in lower case and with their port, that may be asked without TLS beside loopback ones.
	Plain map[string]bool
	// Registry is the host that is asked, as images name it; Registry tells it to Next.
	Registry string
	// Within is how long an answer may take to be read, and a layer's next 64 KiB. 0: a minute.
	Within time.Duration
}

type registryKey struct{}

// Registry is the one for which a request is sent, also where it goes to another host; empty: unknown.
func Registry(ctx context.Context) string {
	host, _ := ctx.Value(registryKey{}).(string)
	return host
}

type layerKey struct{}

// Layer returns a context in which the answer with that layer may be as long as it is: who reads it has to bound it. Every other
// answer stays bounded, also in this context: those of a registry's errors and of the tokens that it wants meanwhile.
func Layer(ctx context.Context, layer name.Digest) context.Context {
	return context.WithValue(ctx, layerKey{}, layer)
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	// A registry names the address where its password is to be sent; that one has to be as safe as itself.
	if r.URL.Scheme != "https" && !loopback(r.URL.Hostname()) && !t.Plain[strings.ToLower(r.URL.Host)] {
		return nil, problem.New(problem.Invalid, "%s is asked without TLS, which Lanyard does not do; name it under registries with plain_http: true if its network can be trusted.", r.URL.Host)
	}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), registryKey{}, t.Registry))
	answer, err := t.Next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	b := &body{from: answer.Body, cancel: cancel, host: r.URL.Host, left: MaxAnswer, bound: MaxAnswer, within: t.Within}
	if b.within == 0 {
		b.within = within
	}
	switch ok := answer.StatusCode/100 == 2; {
	case !ok:
		b.left, b.cut = maxError, true
	case answer.StatusCode == http.StatusOK && isLayer(r):
		b.left, b.paced = -1, true
	}
	b.timer = time.AfterFunc(b.within, b.tooLate)
	answer.Body = b
	return answer, nil
}

// isLayer reports whether a request is for the layer that its context names, or is where that request was sent on to.
func isLayer(r *http.Request) bool {
	layer, ok := r.Context().Value(layerKey{}).(name.Digest)
	if !ok || r.Method != http.MethodGet {
		return false
	}
	for range 20 { // a client follows ten
		if r.Response == nil {
			// A realm for tokens that looks like the layer is asked with a query.
			return r.URL.RawQuery == "" && r.URL.Host == layer.RegistryStr() && r.URL.Path == "/v2/"+layer.RepositoryStr()+"/blobs/"+layer.DigestStr()
		}
		if r = r.Response.Request; r == nil {
			return false
		}
	}
	return false
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
