package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAlarmsAreToldAgain posts until the other side takes it, and never logs the address.
func TestAlarmsAreToldAgain(t *testing.T) {
	got := make(chan []byte, 8)
	tries := 0
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if tries++; tries < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		got <- body
	}))
	defer outside.Close()
	var log bytes.Buffer
	a, err := newAlarms(outside.URL+"/token-in-the-path", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	a.pause = time.Millisecond
	body, err := json.Marshal(brokenGlass{Alarm: "break-glass", User: "u-1", Why: "outage"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { a.run(ctx) })
	a.queue <- body
	select {
	case told := <-got:
		if !bytes.Equal(told, body) {
			t.Errorf("told %s", told)
		}
	case <-time.After(20 * time.Second):
		t.Error("not told")
	}
	outside.Close()
	a.queue <- body
	for deadline := time.Now().Add(20 * time.Second); len(a.queue) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	stop()
	running.Wait()
	if strings.Contains(log.String(), "token-in-the-path") {
		t.Errorf("the address is in the log: %s", &log)
	}
	for _, wrong := range []string{"ftp://example.test/", "/path", "https://"} {
		if _, err := newAlarms(wrong, nil); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}
