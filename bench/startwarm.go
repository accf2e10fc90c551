package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

const (
	warmRounds = 8
	warmURL    = prebuiltURL + "/tree/bare"
)

// warm measures the time from the click that makes a workspace, of a repository that says nothing of it, to the prompt of its terminal:
// where one was made ahead for the project, beside the same before one was.
func (w *devWorld) warm(ctx context.Context, figure string) error {
	var made, cold []float64
	for range warmRounds {
		took, err := w.make(ctx, warmURL, func([]api.Progress, time.Time) error { return nil })
		if err != nil {
			return err
		}
		cold = append(cold, ms(took))
	}
	path := filepath.Join(w.data, "projects", "payments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	with := strings.Replace(string(text), "\nworkspace: {", "\nworkspace: {warm: [{count: 1}], ", 1)
	if err := os.WriteFile(path, []byte(with), 0o644); err != nil {
		return err
	}
	operator := remote.Socket(w.info.Socket)
	defer operator.Close()
	for range warmRounds {
		if err := ahead(ctx, operator); err != nil {
			return err
		}
		took, err := w.make(ctx, warmURL, func(lines []api.Progress, _ time.Time) error {
			if slices.ContainsFunc(lines, func(l api.Progress) bool { return strings.HasPrefix(l.Text, "starting the ") }) {
				return errors.New("the workspace was not made ahead")
			}
			return nil
		})
		if err != nil {
			return err
		}
		made = append(made, ms(took))
		tell("  made of a warm one in %.0f ms, without in %.0f ms", ms(took), cold[len(made)-1])
	}
	compare(figure+".p50@warm", median(made), "ms", "cold", median(cold))
	return nil
}

// ahead waits until one is made ahead.
func ahead(ctx context.Context, operator *remote.Remote) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	why := ""
	for {
		projects, err := operator.Projects(ctx)
		if err != nil {
			return fmt.Errorf("waiting for one that is made ahead (%s): %w", why, err)
		}
		for _, p := range projects {
			for _, state := range p.Warm {
				if why = state.Message; state.Ready == 1 && state.Making == 0 {
					return nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for one that is made ahead (%s): %w", why, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
