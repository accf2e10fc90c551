package token

import (
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Federation tokens are signed with RS256, all others with ES256, and what one kind of key signed is not found as another's.
func TestKindsHaveAlgorithmsOfTheirOwn(t *testing.T) {
	store, sealer := &rows{}, newSealer(t)
	open := func() *Keys {
		k, err := Open(t.Context(), Config{Rows: store, Sealer: sealer, Kinds: []string{API, Workload, Federation}})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	open()
	k := open() // as a restart reads them
	for kind, alg := range map[string]jose.SignatureAlgorithm{API: jose.ES256, Workload: jose.ES256, Federation: jose.RS256} {
		raw, err := k.Sign(kind, testType, good())
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{API, Workload, Federation} {
			e := expect(k.Of(other))
			e.Algorithm = alg
			if err := e.Verify(t.Context(), raw, &claims{}); (err == nil) != (other == kind) {
				t.Errorf("a token of %s as one of %s: %v", kind, other, err)
			}
		}
		for _, wrong := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256} {
			e := expect(k)
			e.Algorithm = wrong
			if err := e.Verify(t.Context(), raw, &claims{}); (err == nil) != (wrong == alg) {
				t.Errorf("a token of %s as %s: %v", kind, wrong, err)
			}
		}
	}
}

func BenchmarkSignRS256(b *testing.B) {
	k, err := Open(b.Context(), Config{Rows: &rows{}, Sealer: newSealer(b), Kinds: []string{Federation}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Sign(Federation, testType, good()); err != nil {
			b.Fatal(err)
		}
	}
}
