package entrasim

import (
	"net/http"
	"strings"
)

const (
	authorizeSuffix = "/oauth2/v2.0/authorize"
	tokenSuffix     = "/oauth2/v2.0/token"
)

// plantable is a refusal by its AADSTS number, for [FaultRefuse]; nil: it is not known. The numbers and what they mean are
// Microsoft's; the OAuth error is by what kind of thing they are.
//
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func plantable(code int) *stsError {
	for _, kind := range []struct {
		oauth, sub string
		status     int
		messages   map[int]string
	}{
		{"interaction_required", "basic_action", http.StatusBadRequest, map[int]string{
			50072: "Due to a configuration change made by your administrator, you must enroll in multi-factor authentication to access the resource.",
			50074: "Strong Authentication is required.",
			50076: mfaMessage,
			50078: "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access the resource.",
			50079: "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access the resource.",
			50158: "External security challenge was not satisfied. User will be redirected to another page or authentication provider to satisfy additional authentication challenges.",
			16000: "User account from identity provider does not exist in the tenant and cannot access the application, or several accounts are signed in and one has to be chosen.",
		}},
		{"invalid_grant", "message_only", http.StatusBadRequest, map[int]string{
			53000:  "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant.",
			53001:  "Device is not in required device state: domain_joined. Conditional Access policy requires a domain joined device, and the device is not domain joined.",
			53002:  "Application used is not an approved application for Conditional Access.",
			53003:  "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
			53004:  "User needs to complete multi-factor authentication registration process before accessing this content.",
			53011:  "User blocked due to risk on home tenant.",
			530032: "User blocked due to policies configured by your administrator.",
			530035: "Access has been blocked by security defaults.",
			50097:  "Device authentication is required.",
			50131:  "Device is not in required device state, or the request was blocked due to suspicious activity, access policy, or security policy decisions.",
			50155:  "Device authentication failed for this user.",
			135011: "Device used during the authentication is disabled.",
		}},
		{"invalid_grant", "consent_required", http.StatusBadRequest, map[int]string{
			65001: "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.",
			90094: "The grant requires admin permission.",
			90095: "Admin consent is required. The user may request it.",
		}},
		{"invalid_grant", "", http.StatusBadRequest, map[int]string{
			50020: "User account from another identity provider does not exist in the tenant and cannot access the application. The account needs to be added as an external user in the tenant first.",
			50034: "The user account does not exist in the directory.",
			50053: "The account is locked, because the user tried to sign in too many times with an incorrect user ID or password.",
			50055: "The password is expired.",
			50057: "The user account is disabled.",
			50105: "The signed in user is not assigned to a role for the application.",
			50132: "The session is not valid due to a password expiration or a recent password change.",
			50133: "The session is not valid due to a password expiration or a recent password change.",
			50173: "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
			50196: "The server terminated an operation because it encountered a client request loop.",
			70000: "The provided grant is invalid or malformed.",
			70008: "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
		}},
		{"invalid_grant", "token_expired", http.StatusBadRequest, map[int]string{
			70043:  "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
			700082: "The refresh token has expired due to inactivity.",
			700084: "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which cannot be extended.",
		}},
		{"invalid_client", "", http.StatusUnauthorized, map[int]string{
			70021:   "No matching federated identity record found for presented assertion.",
			700027:  "Client assertion failed signature validation.",
			7000215: "Invalid client secret provided.",
			7000222: "The provided client secret keys are expired. Visit the Azure portal to create new keys for your app, or consider using certificate credentials for added security.",
		}},
		{"unauthorized_client", "", http.StatusBadRequest, map[int]string{
			700016:  "Application was not found in the directory.",
			70001:   "The application is disabled.",
			7000112: "The application is disabled.",
			650052:  "The app needs access to a service that your organization has not subscribed to or enabled.",
			650056:  "Misconfigured application. The client has not listed any permissions for the requested resource in its application registration, or the admin has not consented in the tenant.",
			650057:  "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration.",
		}},
	} {
		if message, known := kind.messages[code]; known {
			return &stsError{Status: kind.status, OAuth: kind.oauth, Sub: kind.sub, Code: code, Message: message}
		}
	}
	return nil
}

// refusable reports whether a fault of the kind refuse befalls a request: at sign-in and at the token endpoint, or where
// its path ends.
func (f Fault) refusable(path string) bool {
	if f.Path != "" {
		return strings.HasSuffix(path, f.Path)
	}
	return strings.HasSuffix(path, authorizeSuffix) || strings.HasSuffix(path, tokenSuffix)
}

// serveRefusal refuses a request that nothing is wrong with: as JSON at the token endpoint, as a page at sign-in, and to
// the application at once where it asked for no page.
func (t *Tenant) serveRefusal(w http.ResponseWriter, r *http.Request, code int) {
	refused := plantable(code)
	if !strings.HasSuffix(r.URL.Path, authorizeSuffix) {
		t.writeSTS(w, r, refused)
		return
	}
	noStore(w)
	if err := r.ParseForm(); err != nil {
		t.errorPage(w, r, refused)
		return
	}
	r.SetPathValue("tenant", strings.Split(r.URL.Path, "/")[1])
	req, page, _ := t.parseAuthRequest(r)
	switch {
	case page != nil:
		t.errorPage(w, r, page)
	case req.Prompt == "none":
		t.refuse(w, r, req, silent(refused))
	default:
		t.refusalPage(w, r, req, refused)
	}
}
