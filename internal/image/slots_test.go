package image

import (
	"context"
	"errors"
	"testing"
)

// Who has chosen slow registries does not hold up others' images.
func TestAttack33SlowRegistriesOfOne(t *testing.T) {
	var s Slots
	quiet := func(string) {}
	take := func(who string) func() {
		ctx, leave, err := s.Take(t.Context(), who, "x", quiet)
		if err != nil {
			t.Fatal(err)
		}
		if _, ends := ctx.Deadline(); !ends {
			t.Error("it may take for ever")
		}
		return leave
	}
	refused := func(who string) {
		t.Helper()
		why := errors.New("waited enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		if _, _, err := s.Take(ctx, who, "x", func(string) { cancel(why) }); !errors.Is(err, why) {
			t.Errorf("%s: %v", who, err)
		}
	}
	var held []func()
	for range atOnceOfOne {
		held = append(held, take("mallory"))
	}
	refused("mallory")
	held = append(held, take("ada"), take(""))
	refused("linus")
	got := make(chan func())
	go func() {
		_, leave, err := s.Take(context.WithoutCancel(t.Context()), "linus", "x", quiet)
		if err != nil {
			t.Error(err)
		}
		got <- leave
	}()
	held[0]()
	(<-got)()
	for _, leave := range held[1:] {
		leave()
	}
	if s.taken != 0 || len(s.by) != 0 {
		t.Errorf("%d are held, by %v", s.taken, s.by)
	}
}
