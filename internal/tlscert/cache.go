package tlscert

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"github.com/lanyardhq/lanyard/internal/token"
)

// Rows is how the account at an authority, keys and certificates are kept. Replicas share them: one answers challenges
// that another one caused, and takes over what another one renewed.
type Rows interface {
	// Keys returns the keys of a kind, oldest first.
	Keys(ctx context.Context, kind string) ([]token.Key, error)
	// PutKey stores a key durably, in the place of one with its ID.
	PutKey(ctx context.Context, k token.Key) error
	// DropKey removes a key, if there is one.
	DropKey(ctx context.Context, kind, id string) error
}

// Kind is of the keys that are kept for authorities.
const Kind = "acme"

// rowCache implements autocert.Cache. What is of one authority is not found for another, such as one that is for trying.
type rowCache struct {
	rows      Rows
	sealer    *token.Sealer
	directory string
}

func (c rowCache) key(name string) token.Key {
	return token.Key{ID: Kind + " " + c.directory + " " + name, Kind: Kind}
}

// Get implements autocert.Cache.
func (c rowCache) Get(ctx context.Context, name string) ([]byte, error) {
	want := c.key(name)
	all, err := c.rows.Keys(ctx, Kind)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if k.ID == want.ID {
			plain, err := c.sealer.Open(k.Associated(), k.Sealed)
			if err != nil {
				return nil, fmt.Errorf("open the stored %s: %w", name, err)
			}
			return plain, nil
		}
	}
	return nil, autocert.ErrCacheMiss
}

// Put implements autocert.Cache.
func (c rowCache) Put(ctx context.Context, name string, data []byte) error {
	k := c.key(name)
	k.Sealed, k.Created = c.sealer.Seal(k.Associated(), data), time.Now()
	return c.rows.PutKey(ctx, k)
}

// Delete implements autocert.Cache.
func (c rowCache) Delete(ctx context.Context, name string) error {
	return c.rows.DropKey(ctx, Kind, c.key(name).ID)
}
