package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/token"
)

// auditKind is the kind of key that signs the audit log's checkpoints.
const auditKind = "audit"

// LogOrigin is the name of an installation's audit log, as it stands in checkpoints.
func LogOrigin(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return "lanyard/audit"
	}
	return u.Hostname() + "/audit"
}

// auditSigner reads the key that signs checkpoints, or makes it at the first start. The key is sealed; its public
// half is stored beside it in the clear, as the ID, for whoever verifies without the encryption key.
func auditSigner(ctx context.Context, rows *store.Store, sealer *token.Sealer, base string) (note.Signer, error) {
	keys, err := rows.Keys(ctx, auditKind)
	if err != nil {
		return nil, fmt.Errorf("read the audit log's key: %w", err)
	}
	if len(keys) == 0 {
		private, public, err := note.GenerateKey(rand.Reader, LogOrigin(base))
		if err != nil {
			return nil, fmt.Errorf("make the audit log's key: %w", err)
		}
		k := token.Key{ID: public, Kind: auditKind, Sealed: sealer.Seal(auditKind+" "+public, []byte(private)), Created: time.Now()}
		if err := rows.AddKey(ctx, k); err != nil {
			return nil, fmt.Errorf("store the audit log's key: %w", err)
		}
		keys = append(keys, k)
	}
	k := keys[len(keys)-1]
	private, err := sealer.Open(auditKind+" "+k.ID, k.Sealed)
	if err != nil {
		return nil, fmt.Errorf("the audit log's key cannot be opened with this encryption key: %w", err)
	}
	return note.NewSigner(string(private))
}

// AuditVerifiers are the public keys that may have signed checkpoints, from the database.
func AuditVerifiers(ctx context.Context, rows *store.Store) ([]note.Verifier, error) {
	keys, err := rows.Keys(ctx, auditKind)
	if err != nil {
		return nil, fmt.Errorf("read the audit log's keys: %w", err)
	}
	var verifiers []note.Verifier
	for _, k := range keys {
		v, err := note.NewVerifier(k.ID)
		if err != nil {
			return nil, fmt.Errorf("the audit log's key %q: %w", k.ID, err)
		}
		verifiers = append(verifiers, v)
	}
	return verifiers, nil
}
