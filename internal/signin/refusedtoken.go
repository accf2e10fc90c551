package signin

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyardhq/lanyard/internal/aadsts"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
)

// noToken is what a person is told when the tenant gave no token for their refresh token. What follows is decided by the
// OAuth error and suberror alone (RFC 6749, section 5.2); the tenant's numbers may change and only choose the words:
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func (s *Service) noToken(ctx context.Context, signIn *session.SignIn, err error) error {
	var refused *credential.Refused
	switch {
	case !errors.As(err, &refused) || passing(refused):
		return problem.Wrap(err, problem.Unavailable, "The tenant does not answer, so your own token for this cannot be had now.")
	case refused.OfCredential(): // whatever its words, it says nothing of the person
		return &problem.Error{Kind: problem.Unavailable, Cause: err, Help: by(refused),
			Message: "The tenant does not take Lanyard's own credential, so your own token for this cannot be had now. Tell your administrator."}
	case refused.OAuth == "invalid_grant" && !asksMore[refused.Suberror]:
		why := "the tenant ended it" + inWords(refused.Number)
		s.c.Sessions.EndSignIn(ctx, signIn.ID, why, audit.Event{
			Time: s.c.Now(), Action: "signin:end", Outcome: audit.Done, User: audit.PersonOf(signIn.User, signIn.Name),
			Actor: "tenant", Reasons: []string{why}, Detail: map[string]any{"error": refused.OAuth, "aadsts": refused.Number},
		})
		return &problem.Error{Kind: problem.SignInNeeded, Cause: err, Help: by(refused), Message: "Sign in first: your sign-in is over, " + why + "."}
	case refused.Suberror == "consent_required":
		return &problem.Error{Kind: problem.BadUpstream, Cause: err, Help: by(refused),
			Message: "Nobody has consented yet that Lanyard gets your own token for this. Ask your administrator to consent for the organisation."}
	case refused.OAuth == "invalid_grant", refused.OAuth == "interaction_required", refused.OAuth == "login_required":
		to := s.challengeFor(signIn.User, refused.Claims)
		return &problem.Error{Kind: problem.SignInNeeded, Cause: err, Next: &problem.Next{SignIn: to}, Help: by(refused),
			Message: "The tenant wants you to sign in again for this" + inWords(refused.Number) + ". Open " + to + " in a browser, then try again. What you have open goes on."}
	}
	return &problem.Error{Kind: problem.BadUpstream, Cause: err, Help: by(refused),
		Message: fmt.Sprintf("The tenant gave no token for this (%s). Ask your administrator whether Lanyard may ask for it.", printable(refused.OAuth))}
}

// passing reports whether a refusal says nothing of who asks, so that it may be different a moment later.
func passing(refused *credential.Refused) bool {
	return refused.OAuth == "" || refused.OAuth == "temporarily_unavailable" || refused.OAuth == "server_error" || refused.Status >= 500 || refused.Status == 429
}

// asksMore are suberrors of invalid_grant by which the sign-in as such still holds: something else is asked of the person
// or of an administrator. https://learn.microsoft.com/entra/msal/dotnet/advanced/exceptions
var asksMore = map[string]bool{"consent_required": true, "basic_action": true, "additional_action": true, "message_only": true}

// inWords says what a number means, for people.
func inWords(number int) string {
	m, known := aadsts.Of(number)
	if !known {
		return ""
	}
	return ": " + m.What
}

// by is the help beside a refusal of a token: what the tenant said of it, for its administrators.
func by(refused *credential.Refused) *problem.Help {
	help := &problem.Help{Code: refused.Told.Code(), Correlation: refused.Told.Correlation, Trace: refused.Told.Trace, Time: refused.Told.Time}
	if m, known := aadsts.Of(refused.Number); known {
		help.Who, help.Do = string(m.Who), m.Do
	}
	return help
}
