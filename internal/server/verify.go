package server

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store"
)

// VerifyAudit checks the audit log of a database against the checkpoints kept outside it. A copy that was never
// written is no copy; the report then says that completeness is unproven.
func VerifyAudit(ctx context.Context, rows *store.Store, copies []string) (audit.Report, error) {
	keys, err := AuditVerifiers(ctx, rows)
	if err != nil {
		return audit.Report{}, err
	}
	if len(keys) == 0 {
		return audit.Report{}, problem.New(problem.NotFound, "This database has no audit log yet.")
	}
	var copied []byte
	for _, path := range copies {
		b, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return audit.Report{}, fmt.Errorf("read the copied checkpoints: %w", err)
		}
		copied = append(copied, b...)
	}
	if len(copied) == 0 {
		copied = nil
	}
	return audit.Verify(ctx, rows, keys[len(keys)-1], copied)
}

func verification(r audit.Report) api.Verification {
	v := api.Verification{OK: r.OK(), Size: r.Size, Text: r.Conclusion(), Complete: r.Complete >= r.Size && r.OK(), Problems: []string{}}
	for _, f := range r.Findings {
		v.Problems = append(v.Problems, fmt.Sprintf("%s, events %d to %d: %s", f.Kind, f.From, f.To, f.Detail))
	}
	return v
}
