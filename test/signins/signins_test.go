// Package signins tests that what the tenant's own log says of sign-ins is compared with what happened here, that a review
// says who signed in and what nobody used, and that people are shown sign-ins of theirs that look new, with the whole program.
package signins

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// review is what the command says, with its exit status.
func review(w *harness.World) (r api.Review, status int) {
	w.T.Helper()
	said := w.Lanyard("audit", "review", "--json")
	if err := json.Unmarshal([]byte(said.Out), &r); err != nil {
		w.T.Fatalf("%v: %s %s", err, said.Out, said.Err)
	}
	return r, said.Status
}

func person(r api.Review, name string) api.ReviewPerson {
	for _, p := range r.People {
		if p.UserName == name {
			return p
		}
	}
	return api.ReviewPerson{}
}

// device is a browser that calls itself something.
type device struct {
	http.RoundTripper
	agent string
}

func (d device) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", d.agent)
	return d.RoundTripper.RoundTrip(r)
}

// signInWith signs a sample user in with another device.
func signInWith(w *harness.World, name, agent string) *remote.Remote {
	w.T.Helper()
	b := browser.New()
	plain := b.HTTP().Transport.(*http.Transport)
	w.T.Cleanup(plain.CloseIdleConnections)
	b.HTTP().Transport = device{plain, agent}
	if err := b.SignIn(w.Context(), w.Info.URL, name+"@contoso.example", "lanyard-"+name); err != nil {
		w.T.Fatal(err)
	}
	return remote.As(b, w.Info.URL)
}

// stray signs somebody in at the tenant, to Lanyard's app registration, as whoever has its credential could: Lanyard sees
// nothing of it.
func stray(w *harness.World, name string) {
	w.T.Helper()
	authorize := strings.TrimSuffix(w.Info.Tenant.Issuer, "/v2.0") + "/oauth2/v2.0/authorize?" + url.Values{
		"client_id": {entrasim.LanyardAppID}, "response_type": {"code"}, "redirect_uri": {w.Info.URL + signin.RedirectPath},
		"scope": {"openid profile"}, "state": {"somebody else's"}, "nonce": {"n"},
	}.Encode()
	to, err := entrasim.SignIn(w.Context(), w.Browser().HTTP(), authorize, name+"@contoso.example", "lanyard-"+name)
	if err != nil {
		w.T.Fatal(err)
	}
	if to.Query().Get("code") == "" {
		w.T.Fatalf("the tenant gave no code: %s", to)
	}
}

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"

func TestSignInsAreReviewed(t *testing.T) {
	w := harness.Start(t)
	me, err := w.As("ada").Me(w.Context())
	if err != nil || len(me.Projects) == 0 {
		t.Fatal(me, err)
	}
	w.As("linus")
	var r api.Review
	var status int
	w.Eventually("both agree", func() bool {
		r, status = review(w)
		return r.Log.Compared && r.Log.Joined >= 2
	})
	if len(r.Findings) != 0 || status != 0 {
		t.Errorf("nothing is wrong, and it ended with %d: %+v", status, r.Findings)
	}
	if r.Log.JoinedBy["token"]+r.Log.JoinedBy["correlation"] < 2 { // by what cannot be chance
		t.Errorf("joined by %v", r.Log.JoinedBy)
	}
	ada := person(r, "Ada Lovelace")
	if ada.SignIns != 1 || ada.Joined != 1 || len(ada.Places) != 1 || !slices.Equal(ada.Devices, []string{"a Go program"}) || ada.New != 0 {
		t.Errorf("%+v", ada)
	}

	t.Run("a sign-in that Lanyard did not see is flagged", func(t *testing.T) {
		stray(w, "grace")
		w.Eventually("it is flagged", func() bool {
			r, status = review(w)
			return len(r.Findings) > 0
		})
		f := r.Findings[0]
		if len(r.Findings) != 1 || status != 1 || f.Kind != api.ReviewUnseen || f.UserName != "Grace Hopper" || f.Correlation == "" || f.Do == "" {
			t.Errorf("ended with %d: %+v", status, r.Findings)
		}
		w.Eventually("the audit log has an alarm of it", func() bool {
			page, err := w.Operator.Audit(w.Context(), api.AuditQuery{Action: "signin:unseen", Outcome: "alarm"})
			return err == nil && len(page.Items) == 1 && page.Items[0].UserName == "Grace Hopper"
		})
		if said := w.Lanyard("audit", "review"); said.Status != 1 || !strings.Contains(said.Out, "LOOK") || !strings.Contains(said.Out, f.Correlation) {
			t.Errorf("ended with %d: %s", said.Status, said.Out)
		}
	})

	t.Run("a new device is shown to the person, and to nobody else", func(t *testing.T) {
		another := signInWith(w, "ada", firefox)
		defer another.Close()
		for _, session := range []*remote.Remote{w.As("ada"), another} { // wherever the person is
			page, err := session.NewSignIns(w.Context())
			if err != nil || len(page.Items) != 1 || !page.Items[0].NewDevice || page.Items[0].NewPlace || page.Items[0].Device != "Firefox on Linux" {
				t.Fatalf("%+v %v", page, err)
			}
		}
		page, err := another.NewSignIns(w.Context())
		if err != nil {
			t.Fatal(err)
		}
		id := page.Items[0].ID
		if theirs, err := w.As("linus").NewSignIns(w.Context()); err != nil || len(theirs.Items) != 0 {
			t.Errorf("%+v %v", theirs, err)
		}
		if err := w.As("linus").KnowSignIn(w.Context(), id); remote.KindOf(err) != problem.NotFound {
			t.Errorf("somebody else knows it: %v", err)
		}
		if page.Items[0].MayConfirm {
			t.Error("the sign-in that is warned of is asked to confirm itself")
		}
		if err := another.KnowSignIn(w.Context(), id); remote.KindOf(err) != problem.Denied {
			t.Errorf("it confirms itself: %v", err)
		}
		later := signInWith(w, "ada", firefox)
		defer later.Close()
		if err := later.KnowSignIn(w.Context(), id); remote.KindOf(err) != problem.Denied {
			t.Errorf("a later one confirms it: %v", err)
		}
		if page, err := w.As("ada").NewSignIns(w.Context()); err != nil || !slices.ContainsFunc(page.Items, func(x api.NewSignIn) bool { return x.ID == id && x.MayConfirm }) {
			t.Errorf("where she was before, it cannot be confirmed: %+v %v", page, err)
		}
		if err := w.As("ada").KnowSignIn(w.Context(), id); err != nil {
			t.Fatal(err)
		}
		if page, err := w.As("ada").NewSignIns(w.Context()); err != nil || len(page.Items) != 0 {
			t.Errorf("%+v %v", page, err)
		}
	})

	t.Run("what nobody used is said", func(t *testing.T) {
		g, err := w.Operator.BreakGlass(w.Context(), api.BreakGlass{User: "linus@contoso.example", Project: "payments", Role: "maintainer", Why: "to be unused", For: "30m"})
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := get(w, "ada", w.Info.URL+"/api/v1/projects"); code != http.StatusOK {
			t.Fatal(code)
		}
		ws := w.Workspace("ada", "https://git.example.test/payments/api")
		used := func(r api.Review, name string) (used, unused bool) {
			for _, g := range r.Groups {
				if g.Project == "payments" && g.Name == name {
					used, unused = used || g.Used, unused || !g.Used
				}
			}
			return used, unused
		}
		w.Eventually("the group that gave the role counts as used", func() bool {
			r, _ = review(w)
			is, _ := used(r, "payments-engineers")
			return is
		})
		if is, not := used(r, "payments-viewers"); is || !not {
			t.Errorf("nobody used payments-viewers: %+v", r.Groups)
		}
		if len(r.Grants) != 1 || r.Grants[0].ID != g.ID || r.Grants[0].Used {
			t.Errorf("%+v", r.Grants)
		}
		said := w.Lanyard("audit", "review")
		if !strings.Contains(said.Out, "payments-viewers") || !strings.Contains(said.Out, g.ID) {
			t.Errorf("%s", said.Out)
		}
		_ = ws
	})

	t.Run("what the tenant refused is said", func(t *testing.T) {
		b := w.Browser()
		if err := b.SignIn(w.Context(), w.Info.URL, "grace@contoso.example", "wrong"); err == nil {
			t.Fatal("signed in with a wrong password")
		}
		w.Eventually("it stands there", func() bool {
			r, _ = review(w)
			return slices.ContainsFunc(r.Refused, func(x api.ReviewRefusal) bool { return x.Code == 50126 && x.People == 1 && x.Failure != "" })
		})
	})

	t.Run("a test of signing in, which begins no session, is no stray sign-in", func(t *testing.T) {
		before, _ := review(w)
		test, err := w.Operator.NewSignInTest(w.Context())
		if err != nil {
			t.Fatal(err)
		}
		web := w.Browser().HTTP()
		follow := web.CheckRedirect
		web.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		link, err := url.Parse(test.URL)
		if err != nil {
			t.Fatal(err)
		}
		button, err := http.NewRequestWithContext(w.Context(), http.MethodPost, test.URL, strings.NewReader(link.RawQuery))
		if err != nil {
			t.Fatal(err)
		}
		button.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		button.Header.Set("Origin", link.Scheme+"://"+link.Host)
		answer, err := web.Do(button)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		web.CheckRedirect = follow
		back, err := entrasim.SignIn(w.Context(), web, answer.Header.Get("Location"), "barbara@contoso.example", "lanyard-barbara")
		if err != nil {
			t.Fatal(err)
		}
		if answer, err = web.Get(back.String()); err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		w.Eventually("the tenant's entry is joined", func() bool {
			r, _ = review(w)
			return r.Log.Joined > before.Log.Joined
		})
		if len(r.Findings) != len(before.Findings) || person(r, "Barbara Liskov").SignIns != 0 {
			t.Errorf("%+v %+v", r.Findings, r.People)
		}
	})

	t.Run("it takes the role of an auditor", func(t *testing.T) {
		if _, err := w.As("linus").Review(w.Context(), r.Since, r.Until); remote.KindOf(err) != problem.Denied {
			t.Errorf("a developer reads the review: %v", err)
		}
	})

	t.Run("a restart changes nothing", func(t *testing.T) {
		before, _ := review(w)
		w.Stop()
		w.Run()
		after, status := review(w)
		if len(after.Findings) != len(before.Findings) || status != 1 || person(after, "Ada Lovelace").SignIns != 3 {
			t.Errorf("%d: %+v", status, after)
		}
	})
}

func get(w *harness.World, who, address string) (int, error) {
	r, err := w.As(who).HTTP.Get(address)
	if err != nil {
		return 0, err
	}
	return r.StatusCode, r.Body.Close()
}
