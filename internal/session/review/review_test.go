package review

import (
	"slices"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

var (
	ada  = identity.UserID{Tenant: "contoso", Object: "ada"}
	bob  = identity.UserID{Tenant: "contoso", Object: "bob"}
	noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

func TestJoin(t *testing.T) {
	hers := Remembered{ID: "1f2e", Kind: SignIn, User: ada, At: noon, IP: "203.0.113.7", TokenID: "61TqZgFj5U6-Yv9adZsBAA"}
	for name, c := range map[string]struct {
		entry Logged
		by    By
		ok    bool
	}{
		"the token's ID as the log says it":  {Logged{User: ada, TokenID: "61TqZgFj5U6+Yv9adZsBAA=="}, ByToken, true},
		"made of the request's ID":           {Logged{User: ada, ID: "66ea54eb-6301-4ee5-be62-ff5a759b0100"}, ByToken, true},
		"the attempt's ID":                   {Logged{User: ada, Correlation: "1F2E"}, ByCorrelation, true},
		"the attempt's ID, of somebody else": {Logged{User: bob, Correlation: "1f2e"}, "", false},
		"somebody else's token":              {Logged{User: bob, TokenID: "61TqZgFj5U6-Yv9adZsBAA"}, "", false},
		"same person, place and time":        {Logged{User: ada, IP: "203.0.113.7", At: noon.Add(-9 * time.Minute)}, ByCircumstances, true},
		"another address":                    {Logged{User: ada, IP: "198.51.100.1", At: noon}, "", false},
		"another time":                       {Logged{User: ada, IP: "203.0.113.7", At: noon.Add(-11 * time.Minute)}, "", false},
		"nothing at all":                     {Logged{User: ada}, "", false},
	} {
		id, by, ok := Join(c.entry, []Remembered{{ID: "other", Kind: SignIn, User: ada, At: noon.Add(-time.Hour), IP: "203.0.113.7"}, hers})
		if ok != c.ok || ok && (id != hers.ID || by != c.by) {
			t.Errorf("%s: %q by %q, %v", name, id, by, ok)
		}
	}
}

func TestDeviceAndNetwork(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0":                                                        "Firefox on Linux",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36":                 "Chrome on Linux",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/604.1":     "Safari on iOS",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36":                  "Chrome on Android",
		"curl/8.9.1": "curl", "": "an unknown program", "\x1b[2J Windows": "an unknown program on Windows",
	} {
		if got := Device(agent); got != want {
			t.Errorf("%q is %q, not %q", agent, got, want)
		}
	}
	for ip, want := range map[string]string{
		"203.0.113.7": "203.0.113.0/24", "::ffff:203.0.113.9": "203.0.113.0/24", "2001:db8:1:2::3": "2001:db8:1::/48",
		"127.0.0.1": "this machine", "::1": "this machine", "fe80::1%eth0": "fe80::/48", "": "", "no address": "no address",
	} {
		if got := Network(ip); got != want {
			t.Errorf("%q is in %q, not %q", ip, got, want)
		}
	}
}

func TestUses(t *testing.T) {
	uses := Uses([]audit.Event{
		{Time: noon, Project: "payments", Detail: map[string]any{"role": "developer", "via": "g1"}},
		{Time: noon.Add(time.Hour), Project: "payments", Detail: map[string]any{"role": "developer", "via": "g1", "grant": "a-1"}},
		{Time: noon, Project: "shop", Detail: map[string]any{"role": "developer", "via": "g1"}},
		{Time: noon, Detail: map[string]any{"via": 7}},
		{Time: noon},
	})
	slices.SortFunc(uses, func(a, b Use) int { return len(a.Project+a.ID) - len(b.Project+b.ID) })
	want := []Use{
		{Kind: OfGrant, ID: "a-1", Last: noon.Add(time.Hour), Times: 1},
		{Kind: OfGroup, Project: "shop", Role: "developer", ID: "g1", Last: noon, Times: 1},
		{Kind: OfGroup, Project: "payments", Role: "developer", ID: "g1", Last: noon.Add(time.Hour), Times: 2},
	}
	if !slices.Equal(uses, want) {
		t.Errorf("%+v", uses)
	}
}
