package entrasim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// stsError is a refusal of the sign-in service: an OAuth error string and an AADSTS number.
type stsError struct {
	Status  int    // HTTP status at the token endpoint
	OAuth   string // the value of "error"
	Code    int    // AADSTS number
	Message string // without number and trace
	Sub     string // "suberror", when there is one
	Claims  string // the claims that a new sign-in has to ask for, when there are any
}

func (e *stsError) Error() string { return fmt.Sprintf("AADSTS%d: %s", e.Code, e.Message) }

// trace is what a person gives to support: it stands at the end of every error_description.
type trace struct {
	Trace, Correlation string
	Time               time.Time
}

func (t *Tenant) newTrace(r *http.Request) trace {
	correlation := r.Header.Get("Client-Request-Id")
	if !isGUID(correlation) {
		if correlation = r.FormValue("client-request-id"); !isGUID(correlation) {
			correlation = newGUID()
		}
	}
	return trace{Trace: newGUID(), Correlation: correlation, Time: t.now().UTC()}
}

func (tr trace) timestamp() string { return tr.Time.Format("2006-01-02 15:04:05Z") }

// description is the error_description: lines separated by CR LF.
func (e *stsError) description(tr trace) string {
	return fmt.Sprintf("%s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s", e.Error(), tr.Trace, tr.Correlation, tr.timestamp())
}

// stsErrorBody is the token endpoint's answer to what it refuses.
type stsErrorBody struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	ErrorURI      string `json:"error_uri"`
	Sub           string `json:"suberror,omitempty"`
	Claims        string `json:"claims,omitempty"`
}

// writeSTS answers with the JSON form of e.
func (t *Tenant) writeSTS(w http.ResponseWriter, r *http.Request, e *stsError) {
	tr := t.newTrace(r)
	t.log.Info("the tenant refused a request", "error", e.OAuth, "aadsts", e.Code, "path", r.URL.Path)
	t.stsHeaders(w)
	w.Header().Set("X-Ms-Request-Id", tr.Trace)
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	writeJSON(w, status, stsErrorBody{
		Error: e.OAuth, Description: e.description(tr), Codes: []int{e.Code}, Timestamp: tr.timestamp(),
		TraceID: tr.Trace, CorrelationID: tr.Correlation,
		ErrorURI: fmt.Sprintf("%s/error?code=%d", t.url, e.Code), Sub: e.Sub, Claims: e.Claims,
	})
}

func noStore(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // links carry &
	e.Encode(v)            // the client went away: there is nobody to tell
}
