package server

import (
	"context"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/token"
)

// firstKeys waits until this replica leads or the installation has its keys: two replicas that start on an empty
// database must not each make a key for the audit log.
func (s *Server) firstKeys(ctx context.Context) error {
	for end := time.Now().Add(30 * time.Second); ; {
		if s.leading() {
			return nil
		}
		keys, err := s.store.Keys(ctx, auditKind)
		if err != nil || len(keys) > 0 {
			return err
		}
		if _, err := s.replica.lead.Try(ctx); err != nil {
			return err
		}
		if time.Now().After(end) {
			return problem.New(problem.Unavailable, "Another replica began on this empty database and did not finish. Start again in a minute.")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// readKeys takes over the encryption keys when their file has changed.
func (s *Server) readKeys() {
	if s.options.ReadKeys == nil {
		return
	}
	keys, err := s.options.ReadKeys()
	if err != nil {
		s.log.Error("the encryption keys cannot be read; those that were read before stay", "error", err)
		return
	}
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = token.KeyID(k)
	}
	if slices.Equal(ids, s.sealer.KeyIDs()) {
		return
	}
	if err := s.sealer.Replace(keys...); err != nil {
		s.log.Error("the encryption keys cannot be used; those that were read before stay", "error", err)
		return
	}
	s.log.Info("the encryption keys were read again", "keys", ids)
}
