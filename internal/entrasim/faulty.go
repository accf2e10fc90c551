package entrasim

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// faulty serves with the faults that are set.
func (t *Tenant) faulty(w http.ResponseWriter, r *http.Request) {
	if !t.faults.active.Load() || isControl(r) {
		t.routes.ServeHTTP(w, r)
		return
	}
	offset := t.faults.clockOffset()
	if offset != 0 {
		w.Header().Set("Date", t.now().Add(offset).UTC().Format(http.TimeFormat))
	}
	f, befell := t.faults.befalls(r)
	if !befell {
		t.routes.ServeHTTP(w, r)
		return
	}
	switch f.Kind {
	case FaultThrottle:
		t.fail(w, r, f, http.StatusTooManyRequests, offset)
	case FaultError:
		t.fail(w, r, f, http.StatusServiceUnavailable, offset)
	case FaultExpire:
		t.loseSyncState(w, r, f)
	case FaultRefuse:
		t.serveRefusal(w, r, f.Code)
	case FaultSlow:
		if t.pause(r.Context(), f.DelaySeconds) {
			t.routes.ServeHTTP(w, r)
		}
	case FaultDrop:
		reset(w)
	case FaultLose:
		t.routes.ServeHTTP(&kept{header: http.Header{}}, r)
		reset(w)
	case FaultTruncate, FaultStall:
		t.half(w, r, f)
	}
}

// half answers with the first half of the answer, and after a stall with nothing more.
func (t *Tenant) half(w http.ResponseWriter, r *http.Request, f Fault) {
	whole := &kept{header: w.Header()}
	t.routes.ServeHTTP(whole, r)
	body := whole.body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(whole.status)
	_, err := w.Write(body[:len(body)/2])
	if err == nil && http.NewResponseController(w).Flush() == nil && f.Kind == FaultStall {
		seconds := f.DelaySeconds
		if seconds == 0 {
			seconds = time.Hour.Seconds()
		}
		t.pause(r.Context(), seconds)
	}
	panic(http.ErrAbortHandler)
}

// fail answers with an error of Graph's, or, elsewhere, with the bare status.
func (t *Tenant) fail(w http.ResponseWriter, r *http.Request, f Fault, status int, offset time.Duration) {
	if f.Status != 0 {
		status = f.Status
	}
	if after := f.RetryAfterSeconds; after > 0 && f.RetryAfterDate {
		w.Header().Set("Retry-After", t.now().Add(offset+time.Duration(after)*time.Second).UTC().Format(http.TimeFormat))
	} else if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(after))
	}
	t.writeGraphError(w, r, errorOf(status))
}

// errorOf is how Graph words a status that has nothing to do with the request.
func errorOf(status int) *graphError {
	e := &graphError{Status: status, Code: "UnknownError", Message: http.StatusText(status)}
	switch status {
	case http.StatusTooManyRequests:
		e.Code, e.Message = "TooManyRequests", "Too many requests"
	case http.StatusInternalServerError:
		e.Code, e.Message = "InternalServerError", "Encountered an internal server error."
	case http.StatusServiceUnavailable:
		e.Code, e.Message = "ServiceUnavailable", "Service unavailable."
	case http.StatusGatewayTimeout:
		e.Code, e.Message = "GatewayTimeout", "The server did not respond in time."
	}
	return e
}

// loseSyncState answers as if the token of a delta request had expired: 410 and where to begin anew, or, with a status,
// that and no way out.
func (t *Tenant) loseSyncState(w http.ResponseWriter, r *http.Request, f Fault) {
	e := &graphError{Status: http.StatusGone, Code: "SyncStateNotFound", Message: "The sync state generation is not found; generation=0."}
	if f.Status != 0 {
		e.Status, e.Code = f.Status, "syncStateNotFound"
	} else {
		e.Location = t.url + r.URL.Path + "?$deltatoken="
	}
	t.writeGraphError(w, r, e)
}

// pause reports whether the time passed before the client or the tenant was gone.
func (t *Tenant) pause(ctx context.Context, seconds float64) bool {
	timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-t.running.Done():
	}
	return false
}

// reset ends a connection with a few bytes of an answer: with none, clients ask again by themselves.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1")
}

// kept is an answer that is written down first.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *kept) Write(b []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(b)
}
