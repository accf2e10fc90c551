package entrasim

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
)

// graphError is a refusal in Graph's form.
type graphError struct {
	Status   int
	Code     string
	Message  string
	Location string
	Claims   string // what a new token has to be asked for with
	// RetryAfter is in seconds; 0: nothing is said.
	RetryAfter int
}

func (e *graphError) Error() string { return e.Code + ": " + e.Message }

func badRequest(message string) error {
	return &graphError{Status: http.StatusBadRequest, Code: "Request_BadRequest", Message: message}
}

func notFound(id string) error {
	return &graphError{Status: http.StatusNotFound, Code: "Request_ResourceNotFound",
		Message: "Resource '" + id + "' does not exist or one of its queried reference-property objects are not present."}
}

func forbidden() error {
	return &graphError{Status: http.StatusForbidden, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation."}
}

func unauthenticated(message string) *graphError {
	return &graphError{Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken", Message: message}
}

func notAllowed(method string) error {
	return &graphError{Status: http.StatusMethodNotAllowed, Code: "Request_BadRequest", Message: "Specified HTTP method is not allowed for the request target: " + method + "."}
}

// graphErrorBody is the JSON of a refusal.
type graphErrorBody struct {
	Error struct {
		Code       string `json:"code"`
		Message    string `json:"message"`
		InnerError struct {
			Date            string `json:"date"`
			RequestID       string `json:"request-id"`
			ClientRequestID string `json:"client-request-id"`
		} `json:"innerError"`
	} `json:"error"`
}

func (t *Tenant) writeGraphError(w http.ResponseWriter, r *http.Request, err error) {
	failed := &graphError{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The tenant failed."}
	if !errors.As(err, &failed) {
		t.log.Error("the tenant failed", "error", err, "path", r.URL.Path)
	}
	tr := t.newTrace(r)
	var body graphErrorBody
	body.Error.Code, body.Error.Message = failed.Code, failed.Message
	body.Error.InnerError.Date = tr.Time.Format("2006-01-02T15:04:05")
	body.Error.InnerError.RequestID, body.Error.InnerError.ClientRequestID = tr.Trace, tr.Correlation
	if failed.Status == http.StatusUnauthorized {
		challenge := `Bearer realm="", authorization_uri="` + t.url + `/common/oauth2/authorize", client_id="` + GraphAppID + `"`
		if failed.Claims != "" {
			challenge += `, errorDescription="` + failed.Message + `", error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(failed.Claims)) + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if failed.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(failed.RetryAfter))
	}
	if failed.Location != "" {
		w.Header().Set("Location", failed.Location)
	}
	writeJSON(w, failed.Status, body)
}
