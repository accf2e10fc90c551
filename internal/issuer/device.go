package issuer

import (
	"crypto/rand"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// A device that has no browser asks for two codes (RFC 8628): one that it keeps and polls with, and one that a person
// types elsewhere. Both are rows, so a restart in the middle loses nothing.
const (
	deviceKind = "oauth-device"        // by the device code: what was asked for
	typedKind  = "oauth-device-typed"  // by the user code: the same, with the device code's hash
	saidKind   = "oauth-device-answer" // by the device code: what the person said
)

type waiting struct {
	given
	Hash [32]byte `json:"hash"` // of the device code
	From string   `json:"from"` // the address that the device asked from
}

type said struct {
	given
	Allowed bool `json:"allowed"`
}

// deviceAuthorization begins it.
func (s *Issuer) deviceAuthorization(w http.ResponseWriter, r *http.Request) (any, error) {
	if s.c.Allow != nil && !s.c.Allow(r.RemoteAddr, s.c.Now()) {
		return nil, tooMany("Too many codes are asked for from this address. Try again in a minute.")
	}
	if err := form(w, r); err != nil {
		return nil, err
	}
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	if !client.Device {
		return nil, refuse(unauthorizedClient, "This client does not use device codes.")
	}
	key, err := s.proof(r, "", accessClaims{})
	if err != nil {
		return nil, err
	}
	code, typed := random(), userCode()
	ask := waiting{
		given: given{Client: client.ID, Device: deviceName(r.PostForm.Get("device_name")), Scope: scope(r.PostForm.Get("scope")), Key: key, At: s.c.Now()},
		Hash:  hashOf(code), From: web.ClientIP(r),
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	expires := s.c.Now().Add(deviceLife)
	for kind, hash := range map[string][32]byte{deviceKind: ask.Hash, typedKind: typedHash(typed)} {
		if err := s.c.Rows.PutOnce(r.Context(), kind, hash, body, expires); err != nil {
			return nil, problem.Wrap(err, problem.Unavailable, "The database cannot be written. Try again in a moment.")
		}
	}
	return struct {
		Device   string `json:"device_code"`
		User     string `json:"user_code"`
		Where    string `json:"verification_uri"`
		Expires  int    `json:"expires_in"`
		Interval int    `json:"interval"`
	}{code, typed, s.url(DevicePath), int(deviceLife / time.Second), int(pollEvery / time.Second)}, nil
}

// The letters of user codes: none that is taken for another, and no vowels, so that no words come of it (RFC 8628
// section 6.1). Eight of them are 34 bits, good for ten minutes, and only who is signed in may try.
const letters = "BCDFGHJKLMNPQRSTVWXZ"

func userCode() string {
	var b strings.Builder
	for i := range 8 {
		if i == 4 {
			b.WriteByte('-')
		}
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(letters)))) // never fails (crypto/rand)
		b.WriteByte(letters[n.Int64()])
	}
	return b.String()
}

// typedHash is the hash of a user code, however it is typed.
func typedHash(s string) [32]byte {
	return hashOf(strings.Map(func(c rune) rune {
		if strings.ContainsRune(letters, c) {
			return c
		}
		return -1
	}, strings.ToUpper(s)))
}

// device asks for the code. A link cannot bring one: who types it has it from the device before them (RFC 8628
// section 5.4).
func (s *Issuer) device(w http.ResponseWriter, r *http.Request) error {
	if web.PrincipalFrom(r.Context()).Session == "" {
		http.Redirect(w, r, "/login?"+url.Values{"return": {DevicePath}}.Encode(), http.StatusSeeOther)
		return nil
	}
	s.c.Page(w, http.StatusOK, Page{Code: true, Action: DevicePath})
	return nil
}

// confirm shows what a code stands for.
func (s *Issuer) confirm(w http.ResponseWriter, typed string, ask waiting) {
	client := s.clients[ask.Client]
	s.c.Page(w, http.StatusOK, Page{Client: client.Name, Own: client.Own, For: s.audiences(client), Device: ask.Device, From: ask.From, Action: DevicePath,
		Fields: url.Values{"user_code": {typed}}})
}

func (s *Issuer) waitingFor(r *http.Request, typed string) (ask waiting, ok bool, err error) {
	body, ok, err := s.c.Rows.SeeOnce(r.Context(), typedKind, typedHash(typed))
	if err != nil {
		return ask, false, problem.Wrap(err, problem.Unavailable, "The database cannot be read now. Try again in a moment.")
	}
	if !ok {
		return ask, false, nil
	}
	err = json.Unmarshal(body, &ask)
	return ask, s.clients[ask.Client] != nil, err
}

// allowDevice shows what the code that was typed stands for and then, when the person has said yes or no, keeps that until
// the device asks.
func (s *Issuer) allowDevice(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return problem.New(problem.Invalid, "The form cannot be read. Type the code again.")
	}
	who := web.PrincipalFrom(r.Context())
	if err := s.inBrowser(who); err != nil {
		return err
	}
	typed := r.PostForm.Get("user_code")
	ask, ok, err := s.waitingFor(r, typed)
	if err != nil {
		return err
	}
	if ok && !r.PostForm.Has("go") {
		s.confirm(w, typed, ask)
		return nil
	}
	if ok {
		_, ok, err = s.c.Rows.TakeOnce(r.Context(), typedKind, typedHash(typed))
		if err != nil {
			return problem.Wrap(err, problem.Unavailable, "The database cannot be written now. Try again in a moment.")
		}
	}
	if !ok {
		s.c.Page(w, http.StatusBadRequest, Page{Code: true, Wrong: true, Action: DevicePath})
		return nil
	}
	answer := said{given: ask.given, Allowed: r.PostForm.Get("go") == "on"}
	answer.Session = string(who.Session)
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	if err := s.c.Rows.PutOnce(r.Context(), saidKind, ask.Hash, body, s.c.Now().Add(deviceLife)); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written now. Type the code again.")
	}
	event := audit.Event{Time: s.c.Now(), Action: "oauth:authorize", Outcome: audit.Done, User: audit.PersonOf(who.User, s.name(who.User)), Session: who.Session,
		IP: web.ClientIP(r), Detail: map[string]any{"client": ask.Client, "device": ask.Device, "device_ip": ask.From}}
	page := Page{Client: s.clients[ask.Client].Name, Done: "allowed"}
	if !answer.Allowed {
		event.Outcome, event.Reasons, page.Done = audit.Denied, []string{"the person said no"}, "refused"
	}
	s.c.Audit.Later(event)
	s.c.Page(w, http.StatusOK, page)
	return nil
}

// byDevice answers a device that polls (RFC 8628 section 3.5).
func (s *Issuer) byDevice(r *http.Request, c *Client, key string) (any, error) {
	hash := hashOf(r.PostForm.Get("device_code"))
	if !s.polls.may(hash, s.c.Now()) {
		return nil, refuse(slowDown, "Ask every %d seconds.", int(pollEvery/time.Second))
	}
	unavailable := func(err error) error {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be read. Try again in a moment.")
	}
	body, ok, err := s.c.Rows.SeeOnce(r.Context(), deviceKind, hash)
	if err != nil {
		return nil, unavailable(err)
	}
	var ask waiting
	if ok {
		if err := json.Unmarshal(body, &ask); err != nil {
			return nil, err
		}
	}
	switch {
	case !ok:
		return nil, refuse(expiredToken, "The device code is not known, was used, or is older than %d minutes.", int(deviceLife/time.Minute))
	case ask.Client != c.ID:
		return nil, refuse(invalidGrant, "The device code is another client's.")
	case ask.Key != "" && ask.Key != key: // before anything is spent: whoever lacks the key cannot spend it
		return nil, refuse(invalidProof, "The device code is bound to another key.")
	}
	body, ok, err = s.c.Rows.SeeOnce(r.Context(), saidKind, hash)
	if err != nil {
		return nil, unavailable(err)
	}
	if !ok {
		return nil, refuse(authorizationPending, "Nobody has typed the code yet.")
	}
	var answer said
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if _, ok, err = s.c.Rows.TakeOnce(r.Context(), deviceKind, hash); err != nil {
		return nil, unavailable(err)
	} else if !ok { // another request was first
		return nil, refuse(invalidGrant, "The device code was used.")
	}
	if !answer.Allowed {
		return nil, refuse(accessDenied, "The person said no.")
	}
	tokens, _, err := s.begin(r, c, answer.given, key, grantDevice)
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

// polls remembers when devices asked last, so that one that asks too often is told.
type polls struct {
	mu   sync.Mutex
	last map[[32]byte]time.Time
}

const pollsAtMost = 4096

func (p *polls) may(hash [32]byte, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil || len(p.last) >= pollsAtMost {
		p.last = map[[32]byte]time.Time{}
	}
	before, known := p.last[hash]
	p.last[hash] = now
	return !known || now.Sub(before) >= pollEvery-time.Second
}
