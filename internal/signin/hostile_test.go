package signin_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/signin"
)

// TestAttack06ReplayedCode: a code is good once, in the browser that asked for it, for the sign-in that it was asked for.
func TestAttack06ReplayedCode(t *testing.T) {
	w := newWorld(t)
	victim := newBrowser(t)
	_, _, back := victim.signIn(w, "ada", "lanyard-ada")
	t.Run("in another browser, before it was used", func(t *testing.T) {
		thief := newBrowser(t)
		thief.send(http.MethodGet, w.url+"/login", nil)
		if status, body, _ := thief.send(http.MethodGet, back.String(), nil); status != http.StatusBadRequest || w.signIns() != 0 {
			t.Errorf("%d %s", status, body)
		}
	})
	if status, body, _ := victim.send(http.MethodGet, back.String(), nil); status != http.StatusSeeOther {
		t.Fatalf("what somebody else tried with it spends it: %d %s", status, body)
	}
	t.Run("in the same browser", func(t *testing.T) {
		victim.send(http.MethodGet, back.String(), nil)
		if w.signIns() != 1 {
			t.Errorf("%d sign-ins", w.signIns())
		}
	})
	t.Run("in another browser", func(t *testing.T) {
		thief := newBrowser(t)
		if status, _, _ := thief.send(http.MethodGet, back.String(), nil); status != http.StatusBadRequest || thief.whoami(w) != "" {
			t.Errorf("%d", status)
		}
	})
	t.Run("with a state of one's own", func(t *testing.T) {
		thief := newBrowser(t)
		_, _, begun := thief.send(http.MethodGet, w.url+"/login", nil)
		q := url.Values{"code": back.Query()["code"], "state": begun.Query()["state"]}
		status, body, _ := thief.send(http.MethodGet, w.url+signin.RedirectPath+"?"+q.Encode(), nil)
		if status != http.StatusForbidden || !strings.Contains(body, "AADSTS54005") || thief.whoami(w) != "" {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("unused, with a state of one's own", func(t *testing.T) { // PKCE: the verifier is another
		_, _, unused := newBrowser(t).signIn(w, "ada", "lanyard-ada")
		thief := newBrowser(t)
		_, _, begun := thief.send(http.MethodGet, w.url+"/login", nil)
		q := url.Values{"code": unused.Query()["code"], "state": begun.Query()["state"]}
		status, body, _ := thief.send(http.MethodGet, w.url+signin.RedirectPath+"?"+q.Encode(), nil)
		if status != http.StatusForbidden || !strings.Contains(body, "AADSTS501481") || thief.whoami(w) != "" {
			t.Errorf("%d %s", status, body)
		}
	})
}

// TestAttack06LoginCSRF: nobody is made to be signed in as somebody else, by an answer that an attacker got for themselves
// and leads a victim's browser to, by link or by form.
func TestAttack06LoginCSRF(t *testing.T) {
	for name, formPost := range map[string]bool{"by link": false, "by form": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, func(c *signin.Config) { c.FormPost = formPost })
			attacker := newBrowser(t)
			_, page, back := attacker.signIn(w, "linus", "lanyard-linus")
			victims := map[string]*browser{"who has begun nothing": newBrowser(t), "who has begun": newBrowser(t), "who is signed in": newBrowser(t)}
			victims["who has begun"].send(http.MethodGet, w.url+"/login", nil)
			if formPost {
				victims["who is signed in"].cookies[w.host()] = map[string]string{stateCookie: "another"}
			} else {
				victims["who is signed in"].enter(w, "ada")
			}
			for who, b := range victims {
				before := b.cookies[w.host()][session.CookieName]
				var status int
				if formPost {
					if b.cookies[w.host()] == nil {
						b.cookies[w.host()] = map[string]string{}
					}
					status, _, _ = b.post(w, hidden(page), "https://evil.example.test")
				} else {
					status, _, _ = b.send(http.MethodGet, back.String(), nil)
				}
				if status != http.StatusBadRequest || b.cookies[w.host()][session.CookieName] != before || b.whoami(w) == entrasim.LinusID {
					t.Errorf("a victim %s: %d, now %q", who, status, b.whoami(w))
				}
			}
		})
	}
}

// TestAttack16ChangedMail is nOAuth: an attacker whose address, user name and display name were changed to a victim's is
// still themselves, and the victim's sign-in is not theirs.
func TestAttack16ChangedMail(t *testing.T) {
	r := newRogue(t)
	victim, attacker := newBrowser(t), newBrowser(t)
	adas := r.claims("")
	maps.Copy(adas, map[string]any{"email": "ada@contoso.example", "name": "Ada Lovelace"})
	r.enter(t, victim, adas)
	like := maps.Clone(adas)
	maps.Copy(like, map[string]any{"oid": entrasim.LinusID, "sub": "another", "email_verified": true, "xms_edov": true, "verified_primary_email": []string{"ada@contoso.example"}, "upn": "ada@contoso.example"})
	if status, body, _ := r.enter(t, attacker, like); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, body)
	}
	users := map[string]int{}
	for row := range r.sessions.Set().All {
		users[row.User.Object]++
		if row.User.Object == entrasim.LinusID && len(r.sessions.Set().Below(row.ID)) != 1 {
			t.Error("the attacker has more than their own session")
		}
	}
	if users[entrasim.AdaID] != 1 || users[entrasim.LinusID] != 1 || len(users) != 2 {
		t.Errorf("sign-ins: %v", users)
	}
}

// TestAttack07EveryReturnAddress tries addresses elsewhere in every place that leads somebody on.
func TestAttack07EveryReturnAddress(t *testing.T) {
	w := newWorld(t)
	evil := []string{"https://evil.example.test/", "//evil.example.test/", `/\evil.example.test`, "/\t/evil.example.test", "/%2fevil.example.test/\"", "javascript:alert(1)",
		"http://evil.example.test@" + w.host() + "/", "http:evil.example.test", w.url + ".evil.example.test/", "/\r\nLocation: https://evil.example.test"}
	stays := func(t *testing.T, target string, next *url.URL) {
		t.Helper()
		if next != nil && next.Host != w.host() && !strings.HasPrefix(next.Host, "tenant.localhost") {
			t.Errorf("%q leads to %v", target, next)
		}
	}
	b := newBrowser(t)
	b.enter(w, "ada")
	for name, at := range map[string]func(target string) *url.URL{
		"login": func(target string) *url.URL {
			_, _, next := b.send(http.MethodGet, w.url+"/login?return="+url.QueryEscape(target), nil)
			return next
		},
		"step-up link": func(target string) *url.URL {
			r, _ := w.refused(b)
			_, _, next := b.confirm(w, w.signin.Offer(r, "c1")+"&return="+url.QueryEscape(target), "ada")
			return next
		},
		"hand-off": func(target string) *url.URL {
			_, _, next := b.send(http.MethodGet, w.url+"/open?to="+url.QueryEscape(target)+"&bind="+strings.Repeat("A", 43), nil)
			return next
		},
		"callback": func(target string) *url.URL {
			_, _, back := b.send(http.MethodGet, w.url+"/login", nil)
			_, _, next := b.send(http.MethodGet, back.String(), nil)
			q := next.Query()
			q.Set("return", target)
			q.Set("redirect_uri", target)
			q.Set("target_link_uri", target)
			next.RawQuery = q.Encode()
			_, _, next = b.send(http.MethodGet, next.String(), nil)
			return next
		},
		"an answer that was used": func(target string) *url.URL {
			_, _, back := b.send(http.MethodGet, w.url+"/login", nil)
			_, _, next := b.send(http.MethodGet, back.String(), nil)
			b.send(http.MethodGet, next.String(), nil)
			_, _, next = b.send(http.MethodGet, next.String()+"&return="+url.QueryEscape(target), nil)
			return next
		},
		"admin consent": func(target string) *url.URL {
			_, _, next := b.send(http.MethodGet, w.url+signin.RedirectPath+"?admin_consent=True&tenant=x&return="+url.QueryEscape(target)+"&state="+url.QueryEscape(target), nil)
			return next
		},
		"signed out": func(target string) *url.URL {
			_, _, next := b.send(http.MethodGet, w.url+signin.LogoutPath+"?post_logout_redirect_uri="+url.QueryEscape(target)+"&return="+url.QueryEscape(target), nil)
			return next
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range evil {
				stays(t, target, at(target))
			}
		})
	}
}

// What the tenant says by its front channel ends the sign-ins of that session of its, and nothing else.
func TestFrontChannelEndsOneSession(t *testing.T) {
	w := newWorld(t)
	ada, again, linus := newBrowser(t), newBrowser(t), newBrowser(t)
	ada.enter(w, "ada")
	again.enter(w, "ada") // another browser, so another session at the tenant
	linus.enter(w, "linus")
	sid := ""
	for row := range w.sessions.Set().All {
		if row.ID == w.signInOf(ada) {
			sid = row.TenantSession
		}
	}
	if sid == "" {
		t.Fatal("the token had no sid")
	}
	call := func(q url.Values) {
		t.Helper()
		if status, body, _ := newBrowser(t).send(http.MethodGet, w.url+signin.FrontChannelPath+"?"+q.Encode(), nil); status != http.StatusOK || body != "" {
			t.Errorf("%v: %d %s", q, status, body)
		}
	}
	for _, nothing := range []url.Values{{}, {"sid": {""}}, {"sid": {"another"}}, {"sid": {sid}, "iss": {"https://evil.example.test/v2.0"}}} {
		if call(nothing); w.signIns() != 3 {
			t.Fatalf("%v ended something", nothing)
		}
	}
	call(url.Values{"sid": {sid}, "iss": {w.tenant.Issuer()}})
	if ada.whoami(w) != "" || again.whoami(w) != entrasim.AdaID || linus.whoami(w) != entrasim.LinusID {
		t.Error("not the one session alone has ended")
	}
}
