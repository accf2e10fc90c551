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

// VerifyAudit checks the audit log of a database against the checkpoints kept outside it, with the public key that is
// given or, where that is empty, the one in the same database. A copy that was never written is no copy; the report
// then says that completeness is unproven.
func VerifyAudit(ctx context.Context, rows *store.Store, copies []string, given string) (audit.Report, error) {
	key, from, err := auditKeyOf(ctx, rows, given)
	if err != nil {
		return audit.Report{}, err
	}
	if key == nil {
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
	return audit.Verify(ctx, rows, key, from, copied)
}

func badKey(err error) error {
	return problem.Wrap(err, problem.Invalid, "The key is not a public key of checkpoints, as `lanyard audit key` prints it.")
}

func verification(r audit.Report) api.Verification {
	v := api.Verification{OK: r.OK(), Size: r.Size, Text: r.Conclusion(), Complete: r.Complete > 0 && r.Complete >= r.Size && r.OK(), Problems: []string{},
		Key: r.Key, KeyFrom: r.KeyFrom, Pruned: r.Pruned, Erased: r.Erased}
	for _, f := range r.Findings {
		v.Problems = append(v.Problems, fmt.Sprintf("%s, events %d to %d: %s", f.Kind, f.From, f.To, f.Detail))
	}
	return v
}
