package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	alarmsWaiting = 64
	alarmTries    = 5
	alarmPause    = time.Second // before the second try, then twice as long each time
	alarmWithin   = 10 * time.Second
)

// alarms tells an address outside of alarms, as JSON in a POST. Nobody waits for it; the audit log and the server's
// log have the alarm already.
type alarms struct {
	url   string // may hold a token: never logged
	http  *http.Client
	log   *slog.Logger
	queue chan []byte
	pause time.Duration
}

// newAlarms returns nil for an empty address: nobody outside is told.
func newAlarms(address string, log *slog.Logger) (*alarms, error) {
	if address == "" {
		return nil, nil
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, problem.New(problem.Invalid, "The file of alarms.url_file holds no http or https address.")
	}
	client := &http.Client{
		Timeout: alarmWithin, Transport: &http.Transport{DialContext: Dial, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &alarms{url: address, http: client, log: log, queue: make(chan []byte, alarmsWaiting), pause: alarmPause}, nil
}

// brokenGlass is what is told of a broken glass.
type brokenGlass struct {
	Alarm   string    `json:"alarm"` // "break-glass"
	Grant   string    `json:"grant"`
	User    string    `json:"user"`
	Name    string    `json:"name,omitempty"`
	Project string    `json:"project"`
	Role    string    `json:"role"`
	By      string    `json:"by"`
	Why     string    `json:"why"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
}

// raiseAlarm is called with every break-glass grant.
func (s *Server) raiseAlarm(g grant.Grant) {
	if s.alarms == nil {
		return
	}
	told := brokenGlass{Alarm: "break-glass", Grant: string(g.ID), User: g.User.String(), Project: string(g.Project), Role: string(g.Role),
		By: "operator", Why: g.Why, From: g.From, Until: g.Until}
	if !g.By.IsZero() {
		told.By = g.By.String()
	}
	f := s.engine.Facts()
	if u, ok := f.Directory.User(g.User); ok {
		told.Name = u.Name
	}
	if p, ok := f.Projects.Project(g.Project); ok {
		told.Project = p.Name
	}
	body, err := json.Marshal(told)
	if err != nil {
		s.log.Error("an alarm could not be encoded", "error", err)
		return
	}
	select {
	case s.alarms.queue <- body:
	default:
		s.log.Error("an alarm could not be told outside: too many wait already")
	}
}

// run tells alarms, one after the other, until ctx ends.
func (a *alarms) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case body := <-a.queue:
			a.tell(ctx, body)
		}
	}
}

func (a *alarms) tell(ctx context.Context, body []byte) {
	pause := a.pause
	for try := 1; ; try++ {
		err := a.post(ctx, body)
		if err == nil {
			return
		}
		a.log.Error("an alarm could not be told outside", "try", try, "error", err)
		if try == alarmTries {
			return
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		pause *= 2
	}
}

func (a *alarms) post(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("make the request") // the cause would hold the address
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := a.http.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err // without the address
	}
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("the other side answered %d", answer.StatusCode)
	}
	return nil
}
