package signin_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// A person in too many groups for a token signs in like everybody else, however the tenant says it, and nobody is asked
// where the token says that more could be had (row 21). It is verified like every other token (row 12).
func TestAttack21OverageIsNeverAskedWhereATokenSays(t *testing.T) {
	r := newRogue(t)
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer elsewhere.Close()
	documented, err := os.ReadFile("testdata/groups-overage.claims.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture map[string]any
	if err := json.Unmarshal(documented, &fixture); err != nil {
		t.Fatal(err)
	}
	there := map[string]any{"src1": map[string]any{"endpoint": elsewhere.URL, "access_token": "x"}}
	shapes := map[string]map[string]any{
		"as documented":       fixture,
		"a real address":      {"_claim_names": map[string]any{"groups": "src1"}, "_claim_sources": there},
		"no source":           {"_claim_names": map[string]any{"groups": "src1"}},
		"another source":      {"_claim_names": map[string]any{"groups": "src2"}, "_claim_sources": there},
		"an empty source":     {"_claim_names": map[string]any{"groups": ""}, "_claim_sources": map[string]any{}},
		"names of no shape":   {"_claim_names": "groups", "_claim_sources": []int{1}},
		"hasgroups":           {"hasgroups": true},
		"hasgroups as a text": {"hasgroups": "true"},
		"both":                {"hasgroups": true, "groups": []string{entrasim.LanyardAdminsID}},
	}
	with := func(changes map[string]any, key any) func(string) string {
		return func(nonce string) string {
			claims := r.claims(nonce)
			maps.Copy(claims, changes)
			return signed(t, jose.RS256, key, claims)
		}
	}
	for name, changes := range shapes {
		before := 0
		for range r.sessions.Set().All {
			before++
		}
		if status, who := r.try(t, with(changes, r.key)); status != http.StatusSeeOther || len(who) != before+1 {
			t.Errorf("%s: %d, %v", name, status, who)
		}
		if status, who := r.try(t, with(changes, r.foreign)); status != http.StatusForbidden || len(who) != before+1 {
			t.Errorf("%s, signed by another key: %d", name, status)
		}
		if status, who := r.try(t, func(nonce string) string {
			parts := strings.Split(with(changes, r.key)(nonce), ".")
			claims := r.claims(nonce)
			maps.Copy(claims, changes)
			claims["oid"] = entrasim.GraceID
			payload, _ := json.Marshal(claims)
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
		}); status != http.StatusForbidden || len(who) != before+1 {
			t.Errorf("%s, changed after it was signed: %d", name, status)
		}
	}
	for name, changes := range map[string]map[string]any{"another audience": {"aud": "x"}, "expired": {"exp": 1}, "another nonce": {"nonce": "x"}, "another tenant": {"tid": "11111111-2222-4333-8444-555555555555"}} {
		changes["_claim_names"] = map[string]any{"groups": "src1"}
		if status, _ := r.try(t, with(changes, r.key)); status != http.StatusForbidden {
			t.Errorf("overage, %s: %d", name, status)
		}
	}
	if asked.Load() != 0 {
		t.Error("the address in a token was asked")
	}
}

// What the tenant's refusal of a refresh token does is decided by its error, never by its number.
func TestRefusedRefreshTokens(t *testing.T) {
	type refusal struct {
		Error       string `json:"error"`
		Sub         string `json:"suberror,omitempty"`
		Description string `json:"error_description"`
	}
	for _, c := range []struct {
		refusal
		ends bool
		kind problem.Kind
		says string
	}{
		{refusal{"invalid_grant", "", "AADSTS50173: The provided grant has expired due to it being revoked."}, true, problem.SignInNeeded, "password was changed"},
		{refusal{"invalid_grant", "bad_token", "AADSTS70043: The refresh token has expired due to sign-in frequency checks."}, true, problem.SignInNeeded, "more often"},
		{refusal{"invalid_grant", "token_expired", "AADSTS700082: The refresh token has expired due to inactivity."}, true, problem.SignInNeeded, "not used for too long"},
		{refusal{"invalid_grant", "", "AADSTS50057: The user account is disabled."}, true, problem.SignInNeeded, "account is disabled"},
		{refusal{"invalid_grant", "", "AADSTS99999: A number that nobody knows."}, true, problem.SignInNeeded, "the tenant ended it"},
		{refusal{"interaction_required", "", "AADSTS50173: The same number, another error."}, false, problem.SignInNeeded, "What you have open goes on"},
		{refusal{"interaction_required", "basic_action", "AADSTS50076: Due to a configuration change you must use multi-factor authentication."}, false, problem.SignInNeeded, "second factor"},
		{refusal{"invalid_grant", "basic_action", "AADSTS53003: Access has been blocked by Conditional Access policies."}, false, problem.SignInNeeded, "Conditional Access"},
		{refusal{"invalid_grant", "consent_required", "AADSTS65001: The user or administrator has not consented."}, false, problem.BadUpstream, "consent"},
		{refusal{"temporarily_unavailable", "", "AADSTS90033: A transient error has occurred."}, false, problem.Unavailable, "does not answer"},
		{refusal{"server_error", "", ""}, false, problem.Unavailable, "does not answer"},
		{refusal{"invalid_scope", "", "AADSTS70011: The provided value for scope is not valid."}, false, problem.BadUpstream, "invalid_scope"},
		{refusal{"invalid_client", "", "AADSTS7000215: Invalid client secret provided."}, false, problem.Unavailable, "own credential"},
	} {
		t.Run(c.Description+" "+c.Error, func(t *testing.T) {
			r := newRogue(t)
			r.try(t, func(nonce string) string { return signed(t, jose.RS256, r.key, r.claims(nonce)) })
			var p identity.Principal
			for row := range r.sessions.Set().All {
				p = identity.Principal{Kind: identity.Person, User: row.User, Session: r.sessions.Set().Below(row.ID)[0].ID}
			}
			r.refuse = c.refusal
			_, err := r.signin.AccessToken(t.Context(), p, "api://x/.default")
			if problem.KindOf(err) != c.kind || !strings.Contains(problem.Message(err), c.says) {
				t.Errorf("it says %q (%v)", problem.Message(err), problem.KindOf(err))
			}
			_, signIn, _ := r.sessions.Set().Session(p.Session)
			if ended := !signIn.Ended.IsZero(); ended != c.ends {
				t.Errorf("the sign-in ended: %v, because %q", ended, signIn.EndedWhy)
			}
		})
	}
}
