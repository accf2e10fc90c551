package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Login signs somebody in to a server.
type Login struct {
	URL    string // as Address returns it
	Fresh  bool   // by a sign-in of the last minutes, whatever the browser has
	Device bool   // by a code that is typed into a browser elsewhere
	Name   string // of this machine, for the page and the list of sessions
	// Browse opens a browser at an address. Its error is shown, not fatal: the address is shown too.
	Browse func(url string) error
	// Say tells the person what to do and what happens.
	Say func(string)
}

// freshWithin is how old a sign-in may be that is called fresh.
const freshWithin = 2 * time.Minute

// Login signs in and keeps what follows from it.
func (s *Store) Login(ctx context.Context, l Login) (Context, error) {
	found, err := s.discover(ctx, l.URL)
	if err != nil {
		return Context{}, err
	}
	v, err := newSecret()
	if err != nil {
		return Context{}, err
	}
	var got tokens
	if l.Device {
		got, err = s.byDevice(ctx, l, found, v)
	} else {
		got, err = s.byBrowser(ctx, l, found, v)
	}
	if err != nil {
		return Context{}, explained(err)
	}
	if err := v.take(got, s.now()); err != nil {
		return Context{}, err
	}
	u, err := url.Parse(l.URL)
	if err != nil {
		return Context{}, err
	}
	c := Context{Name: u.Hostname(), URL: l.URL, At: s.now()}
	if c.Kept, err = s.save(l.URL, v); err != nil {
		return Context{}, err
	}
	if err := s.keep(ctx, c); err != nil {
		return Context{}, err
	}
	named, err := s.Find(c.URL)
	if err != nil {
		return Context{}, err
	}
	return *named, nil
}

func explained(err error) error {
	switch codeOf(err) {
	case "":
		return err
	case "access_denied":
		return problem.Wrap(err, problem.Denied, "You said no in the browser, or were refused. Nothing was kept.")
	case "expired_token":
		return problem.Wrap(err, problem.Denied, "Nobody typed the code in time. Try again: lanyard login --device")
	default:
		return problem.Wrap(err, problem.Denied, "The server refused: %v", err)
	}
}

// byBrowser is the code flow of a native program: the browser comes back to a port of loopback (RFC 8252 section 7.3).
func (s *Store) byBrowser(ctx context.Context, l Login, found server, v *secret) (tokens, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return tokens{}, fmt.Errorf("open a port for the browser to come back to: %w; try lanyard login --device", err)
	}
	back := "http://" + listener.Addr().String() + "/callback"
	state, verifier := rand.Text(), rand.Text()+rand.Text()
	digest := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {back}, "state": {state}, "scope": {"openid offline_access"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"}, "device_name": {l.Name},
	}
	if l.Fresh {
		q.Set("max_age", fmt.Sprint(int(freshWithin/time.Second)))
	}
	answers := make(chan url.Values, 1)
	web := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/callback" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
			http.NotFound(w, r) // some other program, or an answer that was not asked for
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("Connection", "close")
		text := "You are signed in. You may close this page."
		if q.Get("error") != "" {
			text = "You are not signed in. You may close this page."
		}
		fmt.Fprintf(w, "<!doctype html><title>Lanyard</title><p>%s</p>", text)
		select {
		case answers <- q:
		default: // there was one already
		}
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(listener) // until it is shut down
	}()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if web.Shutdown(ctx) != nil {
			web.Close()
		}
		<-served
	}()
	to := found.Authorization + "?" + q.Encode()
	l.Say("Sign in in your browser. If none opens, open this address yourself:\n\n  " + to + "\n")
	if l.Browse != nil {
		if err := l.Browse(to); err != nil {
			l.Say("No browser could be opened (" + err.Error() + "). Without one on this machine: lanyard login --device " + l.URL)
		}
	}
	var answer url.Values
	select {
	case answer = <-answers:
	case <-ctx.Done():
		return tokens{}, ctx.Err()
	}
	if iss := answer.Get("iss"); iss != found.Issuer { // RFC 9207
		return tokens{}, problem.New(problem.Denied, "The answer came from another issuer (%q). Nothing was kept.", iss)
	}
	if code := answer.Get("error"); code != "" {
		return tokens{}, &refused{Code: code, Text: answer.Get("error_description")}
	}
	var got tokens
	err = s.post(ctx, v, found.Token, url.Values{"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "code_verifier": {verifier}, "redirect_uri": {back}}, &got)
	return got, err
}

// byDevice waits until a code was typed into a browser somewhere (RFC 8628).
func (s *Store) byDevice(ctx context.Context, l Login, found server, v *secret) (tokens, error) {
	var asked struct {
		Device   string `json:"device_code"`
		User     string `json:"user_code"`
		Where    string `json:"verification_uri"`
		Expires  int    `json:"expires_in"`
		Interval int    `json:"interval"`
	}
	if err := s.post(ctx, v, found.Device, url.Values{"device_name": {l.Name}, "scope": {"openid offline_access"}}, &asked); err != nil {
		return tokens{}, err
	}
	if !strings.HasPrefix(asked.Where, l.URL+"/") {
		return tokens{}, problem.New(problem.Invalid, "The server sends you elsewhere (%s), which is not trusted.", asked.Where)
	}
	l.Say(fmt.Sprintf("Open %s in a browser, on any device, and type this code within %d minutes:\n\n  %s\n", asked.Where, asked.Expires/60, asked.User))
	every := time.Duration(max(asked.Interval, 1)) * time.Second
	for {
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return tokens{}, ctx.Err()
		}
		var got tokens
		err := s.post(ctx, v, found.Token, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {asked.Device}}, &got)
		var down *problem.Error
		switch code := codeOf(err); {
		case err == nil:
			return got, nil
		case code == "authorization_pending":
		case code == "slow_down":
			every += 5 * time.Second
		case code == "temporarily_unavailable", errors.As(err, &down) && down.Kind == problem.Unavailable:
			l.Say("The server cannot be reached just now; waiting.")
		default:
			return tokens{}, err
		}
	}
}
