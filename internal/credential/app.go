package credential

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pause is how long a credential that did not work is tried after the others.
const pause = time.Minute

// App is Lanyard's app registration with the credentials that it has. It is safe for concurrent use.
type App struct {
	clientID string
	now      func() time.Time
	list     []*entry // the preferred first
	inHeader atomic.Bool
}

// entry is a credential with what became of it.
type entry struct {
	Credential

	mu    sync.Mutex
	after time.Time // until then it is tried after the others
	state State
}

// State says how a credential is doing.
type State struct {
	Kind    Kind
	File    string    // empty: in no file
	Worked  time.Time // when it last worked; zero: not yet
	Ends    time.Time // of what it is made of; zero: not known
	Problem string    // why it does not work, with what to do; empty when it does, or was not needed yet
	Failed  time.Time // when that was found
}

// New returns an app whose credentials are in files. They are tried in the order of preference of their kinds, and
// those of one kind as they are listed.
func New(clientID string, files []Files) *App {
	list := make([]Credential, 0, len(files))
	for _, f := range files {
		list = append(list, f.credential())
	}
	return of(clientID, list...)
}

// Known returns an app with a client secret that is in no file.
func Known(clientID, secret string) *App { return of(clientID, known(secret)) }

func of(clientID string, list ...Credential) *App {
	a := &App{clientID: clientID, now: time.Now}
	for _, c := range list {
		a.list = append(a.list, &entry{Credential: c, state: State{Kind: c.Kind(), File: c.File()}})
	}
	slices.SortStableFunc(a.list, func(x, y *entry) int { return cmp.Compare(x.Kind().rank(), y.Kind().rank()) })
	return a
}

// InHeader says whether a client secret is shown in the Authorization header (client_secret_basic; RFC 6749, section
// 2.3.1) and not in the form, where Entra takes it.
func (a *App) InHeader(yes bool) { a.inHeader.Store(yes) }

// States are those of all credentials, in the order of preference.
func (a *App) States() []State {
	all := make([]State, 0, len(a.list))
	for _, e := range a.list {
		e.mu.Lock()
		all = append(all, e.state)
		e.mu.Unlock()
	}
	return all
}

// Check reads the files. It is an error when no credential can be made of them; what the tenant makes of it is not asked.
func (a *App) Check() error {
	var failed []error
	for _, e := range a.list {
		_, err := e.Prove(a.clientID, "", a.now())
		if err == nil {
			return nil
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// Token sends a token request, of whatever grant, as this app. An answer that refuses is a *Refused. When it is the
// credential that the tenant does not take, that is read again, since it may have been replaced just now, and then the
// next one is tried.
func (a *App) Token(ctx context.Context, web *http.Client, endpoint string, request url.Values) (Answer, error) {
	var failed []error
	for _, e := range a.order() {
		answer, err := a.by(ctx, e, web, endpoint, request)
		var no *unproven
		if !errors.As(err, &no) {
			return answer, err
		}
		failed = append(failed, no.error)
	}
	if len(failed) == 0 {
		return Answer{}, errors.New("the app registration has no credential")
	}
	return Answer{}, errors.Join(failed...)
}

// Examine sends a token request with each credential, and returns how they are doing then. It is an error when none
// gets a token.
func (a *App) Examine(ctx context.Context, web *http.Client, endpoint string, request url.Values) ([]State, error) {
	var failed []error
	works := false
	for _, e := range a.list {
		_, err := a.by(ctx, e, web, endpoint, request)
		works = works || err == nil
		failed = append(failed, err)
	}
	if works {
		return a.States(), nil
	}
	return a.States(), errors.Join(failed...)
}

// order is the list, with those last that did not work a moment ago.
func (a *App) order() []*entry {
	now := a.now()
	var good, pausing []*entry
	for _, e := range a.list {
		e.mu.Lock()
		if now.Before(e.after) {
			pausing = append(pausing, e)
		} else {
			good = append(good, e)
		}
		e.mu.Unlock()
	}
	return append(good, pausing...)
}

// unproven says that a credential does not prove who we are; another one may.
type unproven struct{ error }

func (u *unproven) Unwrap() error { return u.error }

// by sends the request with one credential, and once more when that was replaced meanwhile.
func (a *App) by(ctx context.Context, e *entry, web *http.Client, endpoint string, request url.Values) (Answer, error) {
	var before [32]byte
	var failed error
	for attempt := range 2 {
		proof, err := e.Prove(a.clientID, endpoint, a.now())
		if attempt > 0 && (err != nil || proof.From == before) {
			break
		}
		if err != nil {
			e.note(proof, err, a.now())
			return Answer{}, &unproven{err}
		}
		before = proof.From
		answer, err := ask(ctx, web, endpoint, a.filled(request, proof), a.inHeader.Load())
		var refused *Refused
		if err != nil && !errors.As(err, &refused) {
			return Answer{}, err // the tenant did not say anything about it
		}
		if refused != nil {
			refused.Advice = advise(refused.Number, e.File(), proof)
		}
		if err == nil || !refused.OfCredential() {
			if err == nil || refused.OAuth == "invalid_grant" { // who asked is looked at before what was asked
				e.note(proof, nil, a.now())
			}
			return answer, err
		}
		failed = refused
		e.note(proof, refused, a.now())
	}
	return Answer{}, &unproven{failed}
}

func (a *App) filled(request url.Values, p Proof) url.Values {
	form := url.Values{"client_id": {a.clientID}}
	for _, from := range []url.Values{request, p.Form} {
		for key, values := range from {
			form[key] = values
		}
	}
	return form
}

func (e *entry) note(p Proof, err error, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !p.Ends.IsZero() {
		e.state.Ends = p.Ends
	}
	if err == nil {
		e.state.Worked, e.state.Problem, e.state.Failed, e.after = now, "", time.Time{}, time.Time{}
		return
	}
	e.state.Problem, e.state.Failed, e.after = err.Error(), now, now.Add(pause)
}
