package issuer

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// noted are the refusals that stand in the log: who is refused with them tried what is another's, or what was used.
var noted = []string{invalidClient, invalidGrant, invalidProof, invalidTarget, invalidScope, invalidToken, invalidRequest, unauthorizedClient}

// watched notes what an endpoint refuses.
func (s *Issuer) watched(action string, answer func(http.ResponseWriter, *http.Request) (any, error)) func(http.ResponseWriter, *http.Request) (any, error) {
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		v, err := answer(w, r)
		s.noteRefusal(r, action, err)
		return v, err
	}
}

// noteRefusal writes a refusal to the log, with the client only where there is one of that name: the rest is a stranger's text.
func (s *Issuer) noteRefusal(r *http.Request, action string, err error) {
	var refused *refusal
	if !errors.As(err, &refused) || !slices.Contains(noted, refused.code) {
		return
	}
	detail, known := map[string]any{"error": refused.code}, s.showsToken(r)
	if id, secret, _, err := shownClient(r); err == nil && s.clients[id] != nil {
		detail["client"] = id
		known = known || !s.clients[id].public() && knows(s.clients[id], secret)
	}
	if grant := r.PostForm.Get("grant_type"); slices.Contains(grants, grant) {
		detail["grant"] = grant
	}
	s.note(refusedAs{network(r), refused.code}, known, audit.Event{Action: action, IP: peer(r), Reasons: []string{refused.text}, Detail: detail})
}

// showsToken reports whether a request shows an access token whose signature was checked, though it may be refused.
func (s *Issuer) showsToken(r *http.Request) bool {
	_, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	_, known := s.verified.get(hashOf(raw), s.c.Now())
	return known
}

// noteAnswer is noteRefusal for a request that a browser brings, whose person may be known.
func (s *Issuer) noteAnswer(r *http.Request, a asked, err error) {
	why, as := problem.Message(err), refusedAs{network(r), "authorize"}
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		why = refused.text
	}
	e := audit.Event{Action: "oauth:authorize", IP: peer(r), Reasons: []string{why}, Detail: map[string]any{}}
	if a.client != nil {
		e.Detail["client"] = a.client.ID
	}
	who := web.PrincipalFrom(r.Context())
	if !who.User.IsZero() {
		e.User, e.Session = audit.PersonOf(who.User, s.name(who.User)), who.Session
	}
	s.note(as, !who.User.IsZero(), e)
}

// longestReason bounds what an entry says of a refusal, in bytes.
const longestReason = 300

func (s *Issuer) note(as refusedAs, known bool, e audit.Event) {
	e.Time, e.Outcome = s.c.Now(), audit.Denied
	missing, ok := s.refusals.next(as, known, e.Time)
	if !ok {
		return
	}
	for i, why := range e.Reasons {
		if len(why) > longestReason {
			e.Reasons[i] = strings.ToValidUTF8(why[:longestReason], "") + "…"
		}
	}
	if missing > 0 {
		e.Detail["more_not_recorded"] = missing
	}
	s.c.Audit.Later(e)
}

// quoted is a stranger's text as an answer and the log may repeat it: the first 100 characters, in ASCII.
func quoted(text string) string {
	const most = 100
	n := 0
	for i := range text {
		if n++; n > most {
			return strconv.QuoteToASCII(text[:i]) + "…"
		}
	}
	return strconv.QuoteToASCII(text)
}
