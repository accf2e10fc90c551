package entrasim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// controlPath is where a program that may change the directory says what is to go wrong. A real tenant has nothing like
// it.
const controlPath = graphPrefix + "faults"

// isControl reports whether a request is for the controls or the portal, which no fault befalls: each can be ended.
func isControl(r *http.Request) bool {
	return below(r.URL.Path, controlPath) || below(r.URL.Path, "/portal")
}

func below(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return ok && (rest == "" || rest[0] == '/')
}

// faultReport is what GET /v1.0/faults answers.
type faultReport struct {
	Faults
	Befell FaultCounts `json:"befell"`
}

// graphFaults answers /faults: GET says what goes wrong, PUT takes a [Faults], DELETE ends all; and the POSTs below it
// that make one thing happen now: expireDeltaTokens, requireReauthorization, dropSubscriptions, and advance
// {"seconds": 3600}, which moves the tenant's clock on.
func (t *Tenant) graphFaults(r graphRequest) (graphAnswer, error) {
	if err := r.mayWrite(); err != nil {
		return graphAnswer{}, err
	}
	switch operation := r.Method + " " + strings.Join(r.path[1:], "/"); operation {
	case "GET ":
		f, counts := t.Faults()
		return graphAnswer{Body: faultReport{f, counts}}, nil
	case "PUT ":
		var f Faults
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&f); err != nil {
			return graphAnswer{}, badRequest("The faults cannot be read: " + err.Error() + ".")
		}
		if err := t.SetFaults(f); err != nil {
			return graphAnswer{}, err
		}
		f, counts := t.Faults()
		return graphAnswer{Body: faultReport{f, counts}}, nil
	case "DELETE ":
		return graphAnswer{}, t.SetFaults(Faults{})
	case "POST expireDeltaTokens":
		t.ExpireDeltaTokens()
		return graphAnswer{}, nil
	case "POST requireReauthorization":
		return graphAnswer{}, t.RequireReauthorization(r.Context())
	case "POST dropSubscriptions":
		t.DropSubscriptions()
		return graphAnswer{}, nil
	case "POST advance":
		var body struct{ Seconds int64 }
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
		t.Advance(time.Duration(body.Seconds) * time.Second)
		return graphAnswer{}, nil
	}
	return graphAnswer{}, notAllowed(r.Method)
}

// Advance moves the tenant's clock on: what lives for days can end in a test.
func (t *Tenant) Advance(by time.Duration) { t.ahead.Add(int64(by)) }

// DropSubscriptions loses all subscriptions without a word, as a tenant may.
func (t *Tenant) DropSubscriptions() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.subs {
		t.unsubscribe(s)
	}
}
