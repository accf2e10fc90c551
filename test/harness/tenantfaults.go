package harness

import "net/http"

// Simulate makes the sample tenant do wrong what faults says (entrasim.Faults, or a map of the same names), until EndFaults or
// the tenant's end.
func (t *Tenant) Simulate(faults any) {
	t.w.T.Helper()
	t.Do(http.MethodPut, "/faults", faults, nil)
}

// EndFaults ends all of it.
func (t *Tenant) EndFaults() {
	t.w.T.Helper()
	t.Do(http.MethodDelete, "/faults", nil, nil)
}

// Happen makes one thing happen at the tenant now: expireDeltaTokens, requireReauthorization, dropSubscriptions.
func (t *Tenant) Happen(what string) {
	t.w.T.Helper()
	t.Do(http.MethodPost, "/faults/"+what, nil, nil)
}
