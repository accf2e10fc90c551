package provision

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/token"
)

type noKeys struct{}

func (noKeys) Find(context.Context, string) (jose.JSONWebKey, error) {
	return jose.JSONWebKey{}, errors.New("no such key")
}

// FuzzCredential shows anything as a bearer token, a secret, a token and an assertion: nothing is taken but a token that
// was issued here.
func FuzzCredential(f *testing.F) {
	sealer, err := token.NewSealer(bytes.Repeat([]byte{7}, token.SealingKeySize))
	if err != nil {
		f.Fatal(err)
	}
	s := New(Config{Sealer: sealer, Assertion: Assertion{Issuer: "i", Tenant: "t", Audiences: []string{"a"}, Subjects: []string{"s"}, Keys: noKeys{}}})
	issued, err := s.issue(federated, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	if _, why := s.checkToken(issued); why != "" {
		f.Fatal(why)
	}
	for _, seed := range []string{issued, tokenPrefix + "e30." + sealer.Tag(tokenPurpose, "e30"), secretPrefix + "x_y", "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AA", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + raw}}}
		if shown, ok := bearer(r); ok && (shown == "" || len(shown) > maxToken) {
			t.Errorf("taken: %q", shown)
		}
		if _, why := s.checkToken(raw); why == "" {
			body, tag, _ := strings.Cut(strings.TrimPrefix(raw, tokenPrefix), ".")
			if tag != sealer.Tag(tokenPurpose, body) {
				t.Errorf("not issued here and taken: %q", raw)
			}
		}
		if _, ok := s.credentials.check(raw, Bearer); ok {
			t.Errorf("no secret and taken: %q", raw)
		}
		if why := s.checkAssertion(t.Context(), raw); why == "" {
			t.Errorf("not signed and taken: %q", raw)
		}
	})
}

// An ID is one of a kind, and later ones sort behind.
func TestIDs(t *testing.T) {
	at := time.Now()
	last := ""
	for range 1000 {
		at = at.Add(time.Microsecond)
		if id := newID(at); id <= last || len(id) != 36 || id[14] != '7' {
			t.Fatalf("%s after %s", id, last)
		} else {
			last = id
		}
	}
}

// The pace lets a burst through, and then as many as it says.
func TestPace(t *testing.T) {
	p, now, passed := newPace(10, 5), time.Now(), 0
	for range 20 {
		if p.pass(now) {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d at once", passed)
	}
	if !p.pass(now.Add(100*time.Millisecond)) || p.pass(now.Add(100*time.Millisecond)) {
		t.Error("not one more after a tenth of a second")
	}
}
