package entrasim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// batchAtMost is how many requests one batch may hold.
const batchAtMost = 20

// batched is one request of a batch, or its answer.
//
// https://learn.microsoft.com/graph/json-batching
type batched struct {
	ID        string            `json:"id"`
	Method    string            `json:"method,omitempty"`
	URL       string            `json:"url,omitempty"` // below the version, such as /users
	DependsOn []string          `json:"dependsOn,omitempty"`
	Status    int               `json:"status,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	Body      json.RawMessage   `json:"body,omitempty"`
}

// batch answers several requests in one, each as if it came by itself, in their order.
func (t *Tenant) batch(r graphRequest) (graphAnswer, error) {
	if r.Method != http.MethodPost {
		return graphAnswer{}, notAllowed(r.Method)
	}
	var asked struct {
		Requests []batched `json:"requests"`
	}
	if err := r.body(&asked); err != nil {
		return graphAnswer{}, err
	}
	if len(asked.Requests) == 0 || len(asked.Requests) > batchAtMost {
		return graphAnswer{}, badRequest("Invalid batch payload format: between 1 and 20 requests are expected.")
	}
	answers, failed := []batched{}, []string{}
	for _, one := range asked.Requests {
		if one.ID == "" || slices.ContainsFunc(answers, func(a batched) bool { return a.ID == one.ID }) {
			return graphAnswer{}, badRequest("Invalid batch payload format: every request has an id of its own.")
		}
		answer := batched{ID: one.ID, Status: http.StatusFailedDependency}
		if !slices.ContainsFunc(one.DependsOn, func(id string) bool { return slices.Contains(failed, id) }) {
			answer = t.batchOne(r, one)
		}
		if answer.Status >= http.StatusBadRequest {
			failed = append(failed, one.ID)
		}
		answers = append(answers, answer)
	}
	return graphAnswer{Body: entity{"responses": answers}}, nil
}

func (t *Tenant) batchOne(r graphRequest, one batched) batched {
	answer := &kept{header: http.Header{}}
	inner, err := http.NewRequestWithContext(r.Context(), one.Method, t.url+"/v1.0/"+strings.TrimPrefix(one.URL, "/"), strings.NewReader(string(one.Body)))
	switch {
	case err != nil || strings.HasPrefix(strings.TrimPrefix(one.URL, "/"), "$batch"):
		t.writeGraphError(answer, r.Request, badRequest("Invalid batch payload format."))
	default:
		for name, value := range one.Headers {
			inner.Header.Set(name, value)
		}
		inner.Header.Set("Authorization", r.Header.Get("Authorization"))
		inner.RemoteAddr, inner.Host = r.RemoteAddr, r.Host
		t.serveGraph(answer, inner)
	}
	answer.WriteHeader(http.StatusOK) // unless it says something else
	out := batched{ID: one.ID, Status: answer.status, Headers: map[string]string{}}
	for name := range answer.header {
		out.Headers[name] = answer.header.Get(name)
	}
	if body := answer.body.Bytes(); json.Valid(body) {
		out.Body = body
	}
	return out
}
