package entra

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session/review"
)

// graphOf answers as Graph would, without a network, so that time passes in a bubble.
type graphOf func(r *http.Request) (status int, body string, header http.Header)

func (g graphOf) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, header := http.StatusOK, `{"access_token":"t","token_type":"Bearer","expires_in":3599}`, http.Header{}
	if !strings.HasSuffix(r.URL.Path, "/token") {
		status, body, header = g(r)
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func signInLogOf(t *testing.T, app string, g graphOf) *SignInLog {
	t.Helper()
	l, err := NewSignInLog(SignInLogConfig{Tenant: "contoso", ClientID: app, Credential: credential.Known(app, "secret"),
		TokenURL: "https://tenant.example.test/token", Graph: "https://graph.example.test/v1.0", HTTP: &http.Client{Transport: g}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTheDocumentedSignInIsRead(t *testing.T) {
	sample, err := os.ReadFile("testdata/auditlogs-signins.doc.json")
	if err != nil {
		t.Fatal(err)
	}
	const app = "de8bc8b5-d9f9-48b1-a8ad-b748da725064"
	since := time.Date(2020, 3, 13, 0, 0, 0, 0, time.UTC)
	var asked []string
	l := signInLogOf(t, strings.ToUpper(app), func(r *http.Request) (int, string, http.Header) {
		asked = append(asked, r.URL.Query().Get("$filter"))
		if r.URL.Query().Has("$skiptoken") {
			return http.StatusOK, `{"value":[{"id":"of-another-app","appId":"x","createdDateTime":"2020-03-13T19:15:41Z"},
				{"id":"strong","appId":"` + app + `","createdDateTime":"2020-03-13T19:15:41Z","appliedConditionalAccessPolicies":[
					{"enforcedGrantControls":["Mfa"],"result":"success"},{"enforcedGrantControls":["Mfa","CompliantDevice"],"result":"success"},{"enforcedGrantControls":["Block"],"result":"notApplied"}]},
				{"id":"nobody","appId":"` + app + `","createdDateTime":"2020-03-13T19:15:41Z","isInteractive":false},{"appId":null,"userId":null,"location":null,"status":null,"deviceDetail":null}]}`, nil
		}
		return http.StatusOK, strings.ReplaceAll(string(sample), "https://graph.microsoft.com/", "https://graph.example.test/"), nil
	})
	var got []review.Logged
	if err := l.Read(t.Context(), since, func(e []review.Logged) error { got = append(got, e...); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []review.Logged{{
		ID: "66ea54eb-6301-4ee5-be62-ff5a759b0100", At: time.Date(2020, 3, 13, 19, 15, 41, 619583300, time.UTC), Name: "Test Contoso",
		User: identity.UserID{Tenant: "contoso", Object: "26be570a-ae82-4189-b4e2-a37c6808512d"}, UserName: "testaccount1@contoso.com",
		IP: "131.107.159.37", Place: "Redmond, US", Device: "Edge 80.0.361, Windows 10", Correlation: "d79f5bee-5860-4832-928f-3133e22ae912",
	}, {
		ID: "strong", At: time.Date(2020, 3, 13, 19, 15, 41, 0, time.UTC), User: identity.UserID{Tenant: "contoso"}, Strength: []string{"Mfa", "CompliantDevice"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(asked) != 2 || asked[0] != "createdDateTime ge 2020-03-13T00:00:00Z and appId eq '"+strings.ToUpper(app)+"'" {
		t.Errorf("asked %q", asked)
	}
}

// However many pages there are, Graph's limit of five requests in ten seconds is kept, and waiting for it holds nothing
// else back.
func TestTheLimitOfTheSignInLogIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Time
		l := signInLogOf(t, "app", func(r *http.Request) (int, string, http.Header) {
			now := time.Now()
			recent := 0
			for _, at := range asked {
				if now.Sub(at) < logPeriod {
					recent++
				}
			}
			if recent >= logRequests {
				t.Errorf("request %d comes after %d others within %v", len(asked), recent, logPeriod)
			}
			if asked = append(asked, now); len(asked)%12 == 0 {
				return http.StatusOK, `{"value":[]}`, nil
			}
			next, err := json.Marshal("https://graph.example.test/v1.0/auditLogs/signIns?$skiptoken=" + strconv.Itoa(len(asked)))
			if err != nil {
				t.Fatal(err)
			}
			return http.StatusOK, `{"value":[{"id":"a` + strconv.Itoa(len(asked)) + `","appId":"app","createdDateTime":"2026-11-23T12:00:00Z"}],"@odata.nextLink":` + string(next) + `}`, nil
		})
		for range 2 {
			seen := 0
			if err := l.Read(t.Context(), time.Now(), func(e []review.Logged) error { seen += len(e); return nil }); err != nil || seen != 11 {
				t.Error(seen, err)
			}
		}
	})
}

func TestWhyTheSignInLogIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		body    string
		says    string
		refused bool
	}{
		"no permission": {403, `{"error":{"code":"Authentication_MSGraphPermissionMissing","message":"The principal does not have required Microsoft Graph permission(s)"}}`, "AuditLog.Read.All", true},
		"no licence":    {403, `{"error":{"code":"Authentication_RequestFromNonPremiumTenantOrB2CTenant","message":"Neither tenant is B2C or tenant doesn't have premium license"}}`, "licence", true},
		"broken":        {400, `{"error":{"code":"BadRequest","message":"no"}}`, "400", false},
	} {
		l := signInLogOf(t, "app", func(r *http.Request) (int, string, http.Header) {
			if r.URL.Host != "graph.example.test" {
				t.Errorf("%s: asked %s", name, r.URL)
			}
			return c.status, c.body, nil
		})
		err := l.Read(t.Context(), time.Now(), func([]review.Logged) error { return nil })
		var refused *LogRefused
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.As(err, &refused) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAttack21SignInLogLeadsNowhereElse: the token goes to Graph alone, whatever a page or an answer names as the next.
func TestAttack21SignInLogLeadsNowhereElse(t *testing.T) {
	for name, answer := range map[string]graphOf{
		"a link": func(*http.Request) (int, string, http.Header) {
			return http.StatusOK, `{"value":[],"@odata.nextLink":"https://elsewhere.example.test/v1.0/auditLogs/signIns"}`, nil
		},
		"a redirect": func(*http.Request) (int, string, http.Header) {
			return http.StatusFound, "", http.Header{"Location": {"https://elsewhere.example.test/v1.0/auditLogs/signIns"}}
		},
	} {
		l := signInLogOf(t, "app", func(r *http.Request) (int, string, http.Header) {
			if r.URL.Host != "graph.example.test" {
				t.Errorf("%s: the token goes to %s", name, r.URL.Host)
			}
			return answer(r)
		})
		if err := l.Read(t.Context(), time.Now(), func([]review.Logged) error { return nil }); err == nil {
			t.Errorf("%s is followed, or taken for an end", name)
		}
	}
}

// FuzzSignInLog reads what Graph, or somebody in its place, may answer.
func FuzzSignInLog(f *testing.F) {
	sample, err := os.ReadFile("testdata/auditlogs-signins.doc.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample))
	f.Add(`{"value":[{"id":"66ea54eb-6301-4ee5-be62-ff5a759b0100","appId":"app","createdDateTime":"2026-11-23T12:00:00Z","userId":"A/../b"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		var page signInPage
		if json.Unmarshal([]byte(body), &page) != nil {
			return
		}
		l := signInLogOf(t, "app", nil)
		for _, item := range page.Value {
			e, ok := l.entry(item)
			if ok && (e.ID == "" || len(e.ID) > idAtMost || e.At.IsZero() || objectID(e.User.Object) != e.User.Object) {
				t.Errorf("%+v", e)
			}
			review.TokenIDs(e)
		}
	})
}
