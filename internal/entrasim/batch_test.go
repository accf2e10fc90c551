package entrasim

import (
	"net/http"
	"testing"
)

// TestBatch sends several requests in one: each is answered by itself, as who sent the batch, and what rests on one that
// failed is not done.
func TestBatch(t *testing.T) {
	w := newWorld(t, contoso())
	body := w.must("Lanyard", "POST", "$batch", map[string]any{"requests": []map[string]any{
		{"id": "1", "method": "GET", "url": "/users/" + AdaID + "?$select=displayName"},
		{"id": "2", "method": "GET", "url": "/users/nobody@contoso.example"},
		{"id": "3", "method": "POST", "url": "users/" + AdaID + "/getMemberObjects", "headers": map[string]string{"Content-Type": "application/json"},
			"body": map[string]any{"securityEnabledOnly": true}},
		{"id": "4", "method": "GET", "url": "/users", "dependsOn": []string{"2"}},
		{"id": "5", "method": "DELETE", "url": "/users/" + AdaID},
		{"id": "6", "method": "POST", "url": "/$batch"},
	}})
	want := map[string]int{"1": 200, "2": 404, "3": 200, "4": http.StatusFailedDependency, "5": 403, "6": 400}
	for _, e := range body["responses"].([]any) {
		answer := e.(map[string]any)
		id := answer["id"].(string)
		if answer["status"] != float64(want[id]) {
			t.Errorf("%s: %v, want %d", id, answer, want[id])
		}
		delete(want, id)
		if content, _ := answer["body"].(map[string]any); id == "1" && content["displayName"] != "Ada Lovelace" || id == "2" && content["error"] == nil || id == "3" && content["value"] == nil {
			t.Errorf("%s: %v", id, answer)
		}
	}
	if len(want) > 0 {
		t.Errorf("no answers to %v", want)
	}
	for name, requests := range map[string]any{"none": []any{}, "no id": []any{map[string]any{"method": "GET", "url": "/users"}}, "too many": make([]map[string]any, 21)} {
		if status, _, _ := w.call("Lanyard", "POST", "$batch", map[string]any{"requests": requests}); status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _, _ := w.call("Lanyard", "GET", "$batch", nil); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", status)
	}
}
