package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/observe"
)

const (
	recordShards = 8       // requests rarely meet on one
	maxWaiting   = 1 << 20 // bytes of records that wait in one shard; more are dropped and counted
	writeEvery   = 100 * time.Millisecond
)

// Records writes one line of JSON for each request. Lines are gathered in memory and written ten times a second, so
// that a request never waits for the disk; those of one moment may stand in another order than the requests ended.
type Records struct {
	to      io.Writer
	log     *slog.Logger
	shards  [recordShards]recordShard
	dropped atomic.Int64
	failing bool
}

type recordShard struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	text *slog.Logger // into buf
	_    [64]byte
}

// NewRecords returns Records that write to a file, which is appended to and made if need be, or to standard error for
// "stderr". The closer closes the file.
func NewRecords(to string, log *slog.Logger) (*Records, io.Closer, error) {
	if to == "stderr" {
		return newRecords(os.Stderr, log), io.NopCloser(nil), nil
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, nil, err
	}
	return newRecords(f, log), f, nil
}

func newRecords(to io.Writer, log *slog.Logger) *Records {
	r := &Records{to: to, log: log}
	for i := range r.shards {
		r.shards[i].text = slog.New(slog.NewJSONHandler(&r.shards[i].buf, &slog.HandlerOptions{ReplaceAttr: plain}))
	}
	return r
}

// plain names the record's own attributes as the others are named, and leaves the level out.
func plain(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.LevelKey {
		return slog.Attr{}
	}
	return a
}

// Dropped is how many records were not kept.
func (r *Records) Dropped() int64 { return r.dropped.Load() }

// add keeps a record until it is written.
func (r *Records) add(q *observe.Request) {
	var list [24]slog.Attr
	attrs := append(list[:0],
		slog.String("id", q.ID), slog.String("site", q.Site), slog.String("method", q.Method), slog.String("path", q.Path),
		slog.String("outcome", q.Outcome.String()), slog.Int("status", q.Status), slog.Int64("bytes", q.Bytes),
		slog.Float64("duration_ms", float64(q.Duration.Microseconds())/1000))
	for _, one := range [...]struct{ key, value string }{
		{"ip", q.IP}, {"user", q.User}, {"session", q.Session}, {"agent", q.Agent}, {"workspace", q.Workspace},
		{"project", q.Project}, {"action", q.Action}, {"resource", q.Resource}, {"effect", q.Effect}, {"code", q.Code},
	} {
		if one.value != "" {
			attrs = append(attrs, slog.String(one.key, one.value))
		}
	}
	for s := range observe.Steps {
		if at, ok := q.At(s); ok {
			attrs = append(attrs, slog.Float64(stepKeys[s], float64(at.Microseconds())/1000))
		}
	}
	s := &r.shards[rand.Uint32()%recordShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buf.Len() > maxWaiting {
		r.dropped.Add(1)
		return
	}
	s.text.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
}

var stepKeys = [observe.Steps]string{"identified_ms", "opened_ms", "connected_ms", "first_byte_ms"}

// Run writes records until ctx ends, and what is left then.
func (r *Records) Run(ctx context.Context) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.write()
			return
		case <-tick.C:
			r.write()
		}
	}
}

func (r *Records) write() {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		lines := bytes.Clone(s.buf.Bytes())
		s.buf.Reset()
		s.mu.Unlock()
		if len(lines) == 0 {
			continue
		}
		_, err := r.to.Write(lines)
		if err != nil {
			r.dropped.Add(int64(bytes.Count(lines, []byte("\n"))))
		}
		if err != nil && !r.failing {
			r.log.Error("request records cannot be written", "error", err)
		}
		r.failing = err != nil
	}
}
