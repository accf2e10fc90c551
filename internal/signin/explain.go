package signin

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyardhq/lanyard/internal/aadsts"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// A refusal of the tenant's is told in Lanyard's own words: what comes with it may have been written by anybody. Of that
// are shown the error of OAuth, the number and the IDs, in the shapes they have to have.

// explained is a refusal in plain words. what says what did not happen: "The tenant did not sign you in".
func explained(cause error, kind problem.Kind, what, oauth string, told aadsts.Told) *problem.Error {
	if oauth = printable(oauth); oauth != "" {
		what += " (" + oauth + ")"
	}
	help := &problem.Help{Code: told.Code(), Correlation: told.Correlation, Trace: told.Trace, Time: told.Time}
	meaning, known := aadsts.Of(told.Number)
	if !known {
		return &problem.Error{Kind: kind, Cause: cause, Message: what + ". Try again, or ask your administrator.", Help: help}
	}
	help.Who, help.Do = string(meaning.Who), meaning.Do
	return &problem.Error{Kind: kind, Cause: cause, Message: what + ": " + meaning.What + ".", Help: help}
}

// kindOf is the kind of a refusal with an error of OAuth's.
func kindOf(oauth string) problem.Kind {
	if oauth == "temporarily_unavailable" || oauth == "server_error" {
		return problem.Unavailable
	}
	return problem.Denied
}

func exchangeFailed(err error) error {
	var refused *credential.Refused
	switch {
	case !errors.As(err, &refused) || refused.OAuth == "":
		return problem.Wrap(err, problem.Unavailable, "The tenant did not answer, so the sign-in could not be completed. Sign in again.")
	case refused.OfCredential():
		p := explained(err, problem.Unavailable, "The tenant does not take Lanyard's own credential, so nobody can sign in now", "", refused.Told)
		p.Help.Who = string(aadsts.Operator)
		if p.Help.Do == "" {
			p.Help.Do = "`lanyard entra doctor` says what is wrong with the credential."
		}
		return p
	}
	return explained(err, kindOf(refused.OAuth), "The tenant refused to complete the sign-in", refused.OAuth, refused.Told)
}

// unverified is the refusal of an ID token that does not verify. Where it is for a time, clocks that differ are the
// likely cause.
func unverified(err error, now time.Time) error {
	var expired *oidc.TokenExpiredError
	if errors.As(err, &expired) {
		return &problem.Error{Kind: problem.Denied, Cause: err,
			Message: fmt.Sprintf("The tenant's answer was refused: its ID token was good until %s, and here it is %s.", clock(expired.Expiry), clock(now)), Help: clocks()}
	}
	if early(err) {
		return &problem.Error{Kind: problem.Denied, Cause: err,
			Message: fmt.Sprintf("The tenant's answer was refused: its ID token is not good yet, and here it is %s.", clock(now)), Help: clocks()}
	}
	return problem.Wrap(err, problem.Denied, "The tenant's answer was refused: its ID token does not verify.")
}

func clocks() *problem.Help {
	return &problem.Help{Who: string(aadsts.Operator), Do: "They compare the clock of Lanyard's machine with the true time; `lanyard entra doctor` does it, too."}
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// early reports whether a token is not good yet; the library has no type for it.
func early(err error) bool { return strings.Contains(err.Error(), "before the nbf") }

// noted is what the audit log keeps of a refusal beside its words, so that it is found at the tenant.
func noted(err error) map[string]any {
	var p *problem.Error
	if !errors.As(err, &p) || p.Help == nil {
		return nil
	}
	detail := map[string]any{}
	for name, value := range map[string]string{"error_code": p.Help.Code, "correlation": p.Help.Correlation} {
		if value != "" {
			detail[name] = value
		}
	}
	return detail
}
