package image

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Asker asks registries what a name means, and fetches what it means for a runtime that keeps images itself.
type Asker struct{ store *Store }

// NewAsker returns one; transport and plain are as in Config.
func NewAsker(transport http.RoundTripper, plain []string) (*Asker, error) {
	if transport == nil {
		return nil, errors.New("image: no transport")
	}
	s := &Store{web: transport, plain: map[string]bool{}, bounds: DefaultBounds}
	for _, host := range plain {
		s.plain[strings.ToLower(host)] = true
	}
	return &Asker{s}, nil
}

// Digest is that of the manifest for this machine's processor, if the credential (both empty: none) opens the image now.
func (a *Asker) Digest(ctx context.Context, ref Reference, user, password string) (string, error) {
	found, err := a.Find(ctx, ref, user, password)
	return found.Digest, err
}

// Found is an image that a registry has and that a credential opens.
type Found struct {
	Digest string // of the manifest for this machine's processor
	ID     string // of its configuration: what engines call the image's ID

	ref Reference
	described
}

// Find is Digest for who will want the files as well.
func (a *Asker) Find(ctx context.Context, ref Reference, user, password string) (Found, error) {
	d, err := a.store.describe(ctx, ref, user, password)
	if err != nil {
		return Found{}, err
	}
	return Found{Digest: d.digest, ID: d.manifest.Config.Digest.String(), ref: ref, described: d}, nil
}

// UserNames are the names of an image's users; root is a folder that holds at least its etc/passwd.
func UserNames(root string) []string { return userNames(root) }

// LayerNames are the digests of a layer: of what the registry sends, and of what that unpacks to.
type LayerNames struct{ Digest, Content string }

// Layers are the image's, the lowest first.
func (f Found) Layers() []LayerNames {
	all := make([]LayerNames, len(f.manifest.Layers))
	for i, l := range f.manifest.Layers {
		all[i] = LayerNames{l.Digest.String(), f.config.RootFS.DiffIDs[i].String()}
	}
	return all
}
