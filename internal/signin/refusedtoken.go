package signin

import (
	"context"
	"errors"

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
		return problem.Wrap(err, problem.Unavailable, "The tenant does not take Lanyard's own credential, so your own token for this cannot be had now. Tell your administrator.")
	case refused.OAuth == "invalid_grant" && !asksMore[refused.Suberror]:
		why := "the tenant ended it" + inWords(refused.Number)
		s.c.Sessions.EndSignIn(ctx, signIn.ID, why, audit.Event{
			Time: s.c.Now(), Action: "signin:end", Outcome: audit.Done, User: audit.PersonOf(signIn.User, signIn.Name),
			Actor: "tenant", Reasons: []string{why}, Detail: map[string]any{"error": refused.OAuth, "aadsts": refused.Number},
		})
		return problem.Wrap(err, problem.SignInNeeded, "Sign in first: your sign-in is over, %s.", why)
	case refused.Suberror == "consent_required":
		return problem.Wrap(err, problem.BadUpstream, "Nobody has consented yet that Lanyard gets your own token for this. Ask your administrator to consent for the organisation.")
	case refused.OAuth == "invalid_grant", refused.OAuth == "interaction_required", refused.OAuth == "login_required":
		return &problem.Error{Kind: problem.SignInNeeded, Cause: err, Next: &problem.Next{SignIn: s.c.URL + "/login"},
			Message: "The tenant wants you to sign in again for this" + inWords(refused.Number) + ". Open " + s.c.URL + "/login in a browser, then try again. What you have open goes on."}
	}
	return problem.Wrap(err, problem.BadUpstream, "The tenant gave no token for this (%s). Ask your administrator whether Lanyard may ask for it.", printable(refused.OAuth))
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
	words := map[int]string{
		50173:  "the password was changed, or all sign-ins were ended by the person or an administrator",
		50132:  "the password was changed, or all sign-ins were ended by the person or an administrator",
		50133:  "the password was changed or has expired",
		70043:  "the organisation wants people to sign in more often",
		700082: "it was not used for too long",
		700084: "its time is over",
		70008:  "its time is over",
		50057:  "the account is disabled",
		50034:  "the account is not in the directory any more",
		50053:  "the account is locked",
		50055:  "the password has expired",
		50074:  "it takes a second factor",
		50076:  "it takes a second factor",
		50078:  "the second factor was shown too long ago",
		50079:  "a second factor has to be registered",
		53000:  "it takes a device that the organisation manages",
		53001:  "it takes a device that belongs to the organisation",
		53003:  "a rule of the organisation (Conditional Access) does not allow it",
		50105:  "the person is no longer assigned to Lanyard",
	}[number]
	if words == "" {
		return ""
	}
	return ": " + words
}
