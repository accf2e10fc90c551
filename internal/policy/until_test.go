package policy

import (
	"reflect"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// However the clock moves, a verdict stands until the moment that it names.
func TestUntilIsNeverTooLate(t *testing.T) {
	exact, bounded := 0, 0
	eachRound(t, true, func(t *testing.T, g *generator, set *Set) {
		in, facts := g.input(), g.facts()
		for range 12 {
			v := set.Decide(in, facts)
			next := v.Until
			if !next.IsZero() && !next.After(in.Now) {
				t.Fatalf("%s\n%+v: until %s, which is not in the future", texts(set), in, next)
			}
			// Any moment before, among them the last one.
			until := next
			if next.IsZero() {
				until = in.Now.Add(20 * 365 * 24 * time.Hour)
			}
			for i := range 24 {
				later := in
				left := until.Sub(in.Now)
				switch {
				case i == 0:
					later.Now = until.Add(-time.Nanosecond)
				case i < 12:
					later.Now = in.Now.Add(time.Duration(g.Int64N(int64(left))))
				default: // near by, where most changes are
					later.Now = in.Now.Add(time.Duration(g.Int64N(min(int64(left), int64(72*time.Hour)))))
				}
				w := set.Decide(later, facts)
				v.Until, w.Until = time.Time{}, time.Time{}
				if !reflect.DeepEqual(v, w) {
					t.Fatalf("%s\n%+v\nat %s: %+v\nat %s: %+v\nuntil %s", texts(set), in, in.Now, v, later.Now, w, next)
				}
			}
			if next.IsZero() {
				break
			}
			bounded++
			in.Now = next // and on from there
			w := set.Decide(in, facts)
			w.Until = time.Time{}
			if !reflect.DeepEqual(v, w) {
				exact++
			}
		}
	})
	t.Logf("%d verdicts with an end; %d of them changed at it", bounded, exact)
	if exact == 0 {
		t.Error("no verdict ever changed")
	}
}

// The forms that administrators write end at the very moment, not before.
func TestUntilIsExact(t *testing.T) {
	at := func(text string) time.Time {
		t.Helper()
		when, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	now := at("2026-11-02T12:00:00.5Z")
	for _, c := range []struct{ condition, until string }{
		{`context.now < datetime("2026-11-05")`, "2026-11-05T00:00:00Z"},
		{`context.now <= datetime("2026-11-05")`, "2026-11-05T00:00:00.001Z"},
		{`context.now > datetime("2026-11-05")`, "2026-11-05T00:00:00.001Z"},
		{`datetime("2026-11-05") <= context.now`, "2026-11-05T00:00:00Z"},
		{`context.now == datetime("2026-11-05")`, "2026-11-05T00:00:00Z"},
		{`context.now > datetime("2026-11-01")`, ""},
		{`context has signedIn && context.now.durationSince(context.signedIn) < duration("8h")`, "2026-11-02T19:00:00Z"},
		{`context has signedIn && context.signedIn.offset(duration("8h")) > context.now`, "2026-11-02T19:00:00Z"},
		{`context has signedIn && context.now.durationSince(context.signedIn).toHours() < 8`, "2026-11-02T13:00:00Z"},
		{`context.now.toTime() >= duration("8h") && context.now.toTime() < duration("18h")`, "2026-11-02T18:00:00Z"},
		{`context.now.toTime() < duration("8h")`, "2026-11-03T00:00:00Z"},
		{`context.now.toDate() == datetime("2026-11-02")`, "2026-11-03T00:00:00Z"},
		{`context.session == "cli" && context.now < datetime("2026-11-05")`, ""},                  // the clock is not looked at
		{`[context.now, datetime("2026-11-05")].contains(context.now)`, "2026-11-02T12:00:01.5Z"}, // only Cedar knows it
	} {
		set := mustParse(t, File{"x.cedar", `@id("x") permit (principal, action == Action::"self:view", resource) when { ` + c.condition + ` };`})
		in := Input{Principal: person(dev), Action: "self:view", Now: now, Resource: identity.Own(vera),
			Context: Circumstances{Session: "browser", SignedIn: at("2026-11-02T11:00:00Z")}}
		want := time.Time{}
		if c.until != "" {
			want = at(c.until)
		}
		if v := set.Decide(in, sample()); !v.Until.Equal(want) || len(v.Errors) > 0 {
			t.Errorf("%s: %+v, want until %s", c.condition, v, want)
		}
	}
}
