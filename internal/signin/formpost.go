package signin

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// With the response mode form_post (OAuth 2.0 Form Post Response Mode) the tenant's page posts its answer, so that the
// code stands in no URL, no history and no log. A browser sends the cookie that binds the sign-in with such a form, and
// the session's not. The answer is therefore kept for a moment, one for each sign-in that was begun, and the browser led to
// the same address: what follows is as if the answer had come there.
const (
	answerKind   = "signin-answer"
	answerLife   = time.Minute
	answerAtMost = 64 << 10 // bytes
	answerAD     = "answer of the tenant"
)

// parameters are those of an answer that are read.
var parameters = []string{"code", "state", "iss", "error", "error_description", "admin_consent"}

// FromTenant reports whether a request is the tenant's answer, posted from a page of the tenant's. The page may be on any
// of its hosts; what tells a true answer is its state and the browser's cookie.
func (s *Service) FromTenant(r *http.Request) bool {
	return s.c.FormPost && r.Method == http.MethodPost && r.URL.Path == s.c.Tenant.RedirectPath() && r.Header.Get("Upgrade") == ""
}

// posted takes a posted answer to a sign-in that this browser began.
func (s *Service) posted(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, answerAtMost)
	if err := r.ParseForm(); err != nil {
		return problem.New(problem.Invalid, "The tenant's answer cannot be read. Sign in again.")
	}
	state := r.PostForm.Get("state")
	if _, _, err := s.begun(r, state); err != nil {
		return err
	}
	answer := url.Values{}
	for _, name := range parameters {
		if value := r.PostForm.Get(name); value != "" {
			answer.Set(name, value)
		}
	}
	hash := sha256.Sum256([]byte(state))
	_, there, err := s.c.Once.SeeOnce(r.Context(), answerKind, hash) // the page was sent a second time
	if err == nil && !there {
		err = s.c.Once.PutOnce(r.Context(), answerKind, hash, s.c.Sealer.Seal(answerAD, []byte(answer.Encode())), s.c.Now().Add(answerLife))
	}
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written, so nobody can sign in now. Try again in a moment.")
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.c.Tenant.RedirectPath()+"?"+url.Values{"answer": {state}}.Encode(), http.StatusSeeOther)
	return nil
}

// answer is what the tenant answered: in the query, or posted and kept.
func (s *Service) answer(r *http.Request) (url.Values, error) {
	q := r.URL.Query()
	state := q.Get("answer")
	if state == "" {
		return q, nil
	}
	if _, _, err := s.begun(r, state); err != nil { // another browser's is left to it
		return nil, err
	}
	sealed, ok, err := s.c.Once.TakeOnce(r.Context(), answerKind, sha256.Sum256([]byte(state)))
	if err != nil {
		return nil, unread(err)
	}
	if !ok { // it was taken: what became of it, the state knows
		return url.Values{"state": {state}}, nil
	}
	plain, err := s.c.Sealer.Open(answerAD, sealed)
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The tenant's answer cannot be read any more. Sign in again.")
	}
	return url.ParseQuery(string(plain))
}
