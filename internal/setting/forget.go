package setting

import (
	"context"
	"errors"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// forgetAfter is how long a credential of somebody who is gone is kept after it last opened something, or was stored: a directory may
// miss somebody for a while.
const forgetAfter = 30 * 24 * time.Hour

// Forget removes the credentials of people who are no longer here, and reports how many those were.
func (s *Registries) Forget(ctx context.Context, here func(identity.UserID) bool) (removed int, err error) {
	rows, err := s.c.Rows.AllRegistryLogins(ctx)
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, r := range rows {
		last := r.Changed
		if r.Used.After(last) {
			last = r.Used
		}
		if here(r.Owner) || s.c.Now().Sub(last) < forgetAfter {
			continue
		}
		found, err := s.c.Rows.DropRegistryLogin(ctx, r.Owner, r.Host)
		if found {
			removed++
		}
		failed = append(failed, err)
	}
	return removed, errors.Join(failed...)
}
