package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/audit/ship"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/store"
)

// openAudit makes the audit log with what the configuration adds to it.
func (s *Server) openAudit(ctx context.Context) error {
	o := s.options
	signer, err := auditSigner(ctx, s.store, s.sealer, o.URL)
	if err != nil {
		return err
	}
	c := audit.Config{
		Rows: s.store, Signer: signer, Holder: s.origin, Copies: o.CheckpointCopies, Retention: o.Audit.Retention, Log: s.log,
	}
	for _, r := range o.Audit.Remotes {
		c.Remotes = append(c.Remotes, audit.Remote{URL: r.URL, Bearer: bearer(r.BearerFile), Client: &http.Client{
			Transport:     http.DefaultTransport.(*http.Transport).Clone(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}})
	}
	for _, x := range o.Audit.Exports {
		receiver, err := ship.New(ship.Config{
			Name: x.Name, OTLP: x.OTLP, Syslog: x.Syslog, File: x.File, CAFile: x.CAFile, Bearer: bearer(x.BearerFile), Service: o.URL, Version: o.Version,
		})
		if err != nil {
			return fmt.Errorf("audit export %s: %w", x.Name, err)
		}
		c.Receivers = append(c.Receivers, receiver)
	}
	s.audit = audit.New(c)
	return nil
}

// bearer reads a token's file whenever it is needed, so that it can be renewed; nil where there is none.
func bearer(file string) func() (string, error) {
	if file == "" {
		return nil
	}
	return func() (string, error) { return config.ReadSecret(file) }
}

// auditProofs answers what the API asks about the audit log as a whole.
type auditProofs struct{ s *Server }

// Verify checks the log with the key and against the copies that this server has.
func (p auditProofs) Verify(ctx context.Context) (api.Verification, error) {
	report, err := VerifyAudit(ctx, p.s.store, p.s.options.CheckpointCopies, "")
	if err != nil {
		return api.Verification{}, err
	}
	return verification(report), nil
}

func (p auditProofs) Export(ctx context.Context, from int64, to io.Writer) error {
	return audit.Export(ctx, p.s.store, from, to)
}

func (p auditProofs) ProveInclusion(ctx context.Context, seq int64) (audit.Inclusion, error) {
	return p.s.audit.ProveInclusion(ctx, seq)
}

func (p auditProofs) ProveConsistency(ctx context.Context, old, new int64) (audit.Consistency, error) {
	return p.s.audit.ProveConsistency(ctx, old, new)
}

func (p auditProofs) Key(ctx context.Context) (string, error) {
	keys, err := p.s.store.Keys(ctx, auditKind)
	if err != nil || len(keys) == 0 {
		return "", errors.Join(err, errors.New("the audit log has no key"))
	}
	return keys[len(keys)-1].ID, nil
}

func (p auditProofs) Forget(ctx context.Context, object string, by audit.Event) (int64, error) {
	if err := p.s.store.ForgetSignInsOf(ctx, object); err != nil {
		return 0, err
	}
	return p.s.audit.Forget(ctx, object, by)
}

// auditKeyOf chooses the public key that checkpoints are checked with: the one that is given, or the database's own.
func auditKeyOf(ctx context.Context, rows *store.Store, given string) (key note.Verifier, from string, err error) {
	if given != "" {
		key, err := note.NewVerifier(given)
		if err != nil {
			return nil, "", badKey(err)
		}
		return key, audit.KeyGiven, nil
	}
	keys, err := AuditVerifiers(ctx, rows)
	if err != nil || len(keys) == 0 {
		return nil, "", err
	}
	return keys[len(keys)-1], audit.KeyFromDatabase, nil
}
