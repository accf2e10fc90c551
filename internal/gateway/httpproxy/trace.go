package httpproxy

import (
	"net/http"

	"github.com/lanyardhq/lanyard/internal/observe"
)

// traced replaces what the request carried of a distributed trace by what Lanyard says of it. A trace that a workspace's
// program began goes on; one that a browser named does not.
func (x *exchange) traced(out http.Header) {
	inbound := ""
	if v := out["Traceparent"]; len(v) == 1 && !x.door.site() {
		inbound = v[0]
	}
	for _, name := range observe.TraceHeaders {
		delete(out, name)
	}
	if own := observe.Traceparent(x.in.Context(), inbound); own != "" {
		out["Traceparent"] = []string{own}
	}
}
