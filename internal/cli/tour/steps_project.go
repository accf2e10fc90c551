package tour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// projectChanges takes the role away in the project's file instead of the tenant, and gives it back.
func projectChanges(ctx context.Context, s *stage) error {
	ada := s.people["ada"]
	path := filepath.Join(s.info.Projects, "payments.yaml")
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var after strings.Builder
	for line := range strings.Lines(string(before)) {
		if !strings.HasPrefix(line, "  developer:") {
			after.WriteString(line)
		}
	}
	if after.Len() == len(before) {
		return fmt.Errorf("%s has no line of developers to take out", path)
	}
	back := s.changed("put the developers back into "+path, func(context.Context) error { return os.WriteFile(path, before, 0o644) })
	if err := os.WriteFile(path, []byte(after.String()), 0o644); err != nil {
		return err
	}
	saved := time.Now()
	s.tell("the line of the developers is taken out of %s (looked at every second):", filepath.Base(path))
	said, at, _, err := ada.terminal.cut(ctx)
	if err != nil {
		return err
	}
	s.took(at.Sub(saved), "from the saved file to the terminal's end")
	s.quote(said)
	if said == "" {
		return errors.New("the terminal should have said why it ended")
	}
	if err := back(ctx); err != nil {
		return err
	}
	saved = time.Now()
	if err := s.admitted(ctx, ada, "payments"); err != nil {
		return err
	}
	s.took(time.Since(saved), "the line is put back; from the saved file until she may again")
	return nil
}
