package image

import (
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Reference is an image's name, parsed.
type Reference struct{ ref name.Reference }

// ParseReference parses a name as registries give it: host/path:tag or host/path@sha256:…; a name without a host is Docker
// Hub's, one without a tag is :latest.
func ParseReference(s string) (Reference, error) {
	if len(s) > 500 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Reference{}, problem.New(problem.Invalid, "%.80q is no name of an image.", s)
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		return Reference{}, problem.New(problem.Invalid, "%q is no name of an image: leave %s:// out.", s, scheme)
	}
	ref, err := name.ParseReference(s)
	if err != nil {
		return Reference{}, problem.Wrap(err, problem.Invalid, "%q is no name of an image: it looks like registry.example.com/team/image:tag.", s)
	}
	return Reference{ref}, nil
}

// Host is the registry, with its port if it says one: what credentials are kept by.
func (r Reference) Host() string { return r.ref.Context().RegistryStr() }

// Repository is the path on the registry.
func (r Reference) Repository() string { return r.ref.Context().RepositoryStr() }

// String is the whole name, with the host and the tag or digest that were left out.
func (r Reference) String() string { return r.ref.Name() }

// At is the name with a digest in the place of what it had.
func (r Reference) At(digest string) string { return r.ref.Context().Name() + "@" + digest }
