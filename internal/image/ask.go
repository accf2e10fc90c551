package image

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Asker asks registries what a name means, and keeps nothing.
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
	d, err := a.store.describe(ctx, ref, user, password)
	return d.digest, err
}

// UserNames are the names of an image's users; root is a folder that holds at least its etc/passwd.
func UserNames(root string) []string { return userNames(root) }
