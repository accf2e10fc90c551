package entrasim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// longLife is the life of a Graph token for a client that says it understands claims challenges (the capability cp1):
// such a token is looked at at each use instead. A capture of an app's token says expires_in 86399.
//
// https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation
const longLife = 24 * time.Hour

// understandsChallenges reads the capabilities in an access token's part of a claims parameter.
func understandsChallenges(capabilities []string) bool {
	for _, c := range capabilities {
		if strings.EqualFold(c, "cp1") {
			return true
		}
	}
	return false
}

// stretch makes a token live long if its client and resource take part in continuous evaluation, and returns how many
// seconds it is good for.
func stretch(claims map[string]any, resource App, continuous bool) int {
	if !continuous || resource.ClientID != GraphAppID {
		return int(tokenLife.Seconds()) - int(backDated.Seconds()) - 1
	}
	issued, _ := claims["iat"].(int64)
	claims["exp"] = issued + int64((backDated + longLife).Seconds())
	claims["xms_cc"] = []string{"CP1"}
	return int(longLife.Seconds()) - 1
}

// evaluate refuses a long-lived token of before its user was disabled, deleted or had all sign-ins revoked, with the
// claims that a new one has to be asked for with. issued is its iat. t.mu is held.
func (t *Tenant) evaluate(user string, issued int64, capabilities []string) *graphError {
	if !understandsChallenges(capabilities) {
		return nil
	}
	since, code := t.now().Unix(), "UserDisabled"
	if u := t.dir.user(user); u != nil && u.AccountEnabled {
		if since, code = u.SignInsValidFrom.Unix(), "TokenIssuedBeforeRevocationTimestamp"; issued+int64(backDated.Seconds()) >= since {
			return nil
		}
	}
	refused := unauthenticated("Continuous access evaluation resulted in challenge with result: InteractionRequired and code: " + code)
	refused.Claims = fmt.Sprintf(`{"access_token":{"nbf":{"essential":true,"value":"%d"}}}`, since)
	return refused
}

// stsHeaders are those of the token service's answers that are not kept.
func (t *Tenant) stsHeaders(w http.ResponseWriter) {
	noStore(w)
	t.serviceHeaders(w)
	w.Header().Set("X-Ms-Clitelem", "1,0,0,,")
}

// serviceHeaders are those of every answer of the token service to a program.
func (t *Tenant) serviceHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Ms-Request-Id", newGUID())
	h.Set("X-Ms-Ests-Server", "2.1.0.0 - Lanyard simulator")
	h.Set("P3P", `CP="DSP CUR OTPi IND OTRi ONL FIN"`)
	h.Set("X-Xss-Protection", "0")
	if strings.HasPrefix(t.url, "https:") {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
}
