package apiserver

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/signin"
)

// oneTrial is a test of signing in that ada has made.
type oneTrial struct{}

func (oneTrial) NewTrial(_ context.Context, by string) (signin.Trial, error) {
	if by != "Edith Clarke (edith@contoso.example)" && by != "The operator of this server" {
		return signin.Trial{}, problem.New(problem.Invalid, "It is said to be made by %q.", by)
	}
	return signin.Trial{ID: "one", URL: "https://lanyard.example.test/login/test?code=c", Ends: time.Now().Add(time.Minute)}, nil
}

func (oneTrial) Trial(_ context.Context, id string) (signin.Trial, error) {
	if id != "one" {
		return signin.Trial{}, problem.New(problem.NotFound, "There is none.")
	}
	return tested(ada), nil
}

func tested(u identity.UserID) signin.Trial {
	return signin.Trial{ID: "one", At: time.Now(), User: u, Name: "Ada", Refresh: true, Claims: map[string]json.RawMessage{"tid": json.RawMessage(`"t"`), "acr": json.RawMessage(`"1"`)},
		Groups: []string{engineers.Object, "unknown"}, Roles: []string{"Some.Role"}}
}

// TestSignInTests: who looks after Lanyard makes tests and sees what came; nobody else does.
func TestSignInTests(t *testing.T) {
	w := newWorld(t)
	for _, who := range []identity.UserID{edith, operator} {
		made, err := w.as(who).NewSignInTest(t.Context())
		if err != nil || made.State != "waiting" || made.URL == "" {
			t.Errorf("%+v %v", made, err)
		}
		seen, err := w.as(who).SignInTest(t.Context(), made.ID)
		if err != nil || seen.State != "done" || seen.User != ada.String() || !seen.Known || !seen.Active || len(seen.Claims) != 2 || seen.Claims[0] != (api.Claim{Name: "acr", Value: `"1"`}) ||
			len(seen.Projects) != 1 || seen.Projects[0].Role != "developer" || len(seen.Groups) != 1 {
			t.Errorf("%+v %v", seen, err)
		}
		if _, err := w.as(who).SignInTest(t.Context(), "two"); status(err) != http.StatusNotFound {
			t.Errorf("another's: %v", err)
		}
	}
	for _, who := range []identity.UserID{ada, mallory} {
		if _, err := w.as(who).NewSignInTest(t.Context()); status(err)/100 != 4 {
			t.Errorf("a test was made: %v", err)
		}
		if _, err := w.as(who).SignInTest(t.Context(), "one"); status(err)/100 != 4 {
			t.Errorf("a test was seen: %v", err)
		}
	}
}

// TestWhatFollowsOfATest: where each sign-in brings its own groups these count, and elsewhere the directory's.
func TestWhatFollowsOfATest(t *testing.T) {
	f := newWorld(t).engine.Facts()
	x := SignInTest(f, "sign-in", tested(mallory))
	if x.State != "done" || len(x.Groups) != 2 || len(x.AppRoles) != 1 || len(x.Projects) != 1 || x.Projects[0].Name != "payments" || x.Projects[0].Via != "payments-engineers" {
		t.Errorf("%+v", x)
	}
	if x = SignInTest(f, "graph", tested(mallory)); !x.Known || len(x.Groups)+len(x.Projects) != 0 {
		t.Errorf("%+v", x)
	}
	if x = SignInTest(f, "graph", tested(userN(9))); x.Known || x.Active || x.State != "done" {
		t.Errorf("%+v", x)
	}
	if x = SignInTest(f, "graph", signin.Trial{ID: "one", At: time.Now(), Problem: "no"}); x.State != "refused" || x.Problem != "no" || x.User != "" {
		t.Errorf("%+v", x)
	}
}
