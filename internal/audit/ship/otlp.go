package ship

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

const otlpTimeout = 10 * time.Second

// collector sends log records by OTLP/HTTP (opentelemetry-proto 1.x, ExportLogsServiceRequest) in the JSON encoding.
// It has them when it answers 2xx and rejects none.
type collector struct {
	c      Config
	client *http.Client
}

// Close ends idle connections.
func (c *collector) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

func (c *collector) Name() string          { return c.c.Name }
func (c *collector) Settle() time.Duration { return 0 }

func (c *collector) Send(ctx context.Context, batch []audit.Exported) error {
	if len(batch) == 0 {
		return nil
	}
	body, err := json.Marshal(c.request(batch))
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.c.OTLP, bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	if c.c.Bearer != nil {
		secret, err := c.c.Bearer()
		if err != nil {
			return err
		}
		q.Header.Set("Authorization", "Bearer "+secret)
	}
	answer, err := c.client.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answered %s", answer.Status)
	}
	if err != nil {
		return err
	}
	var partial struct {
		PartialSuccess struct {
			Rejected any    `json:"rejectedLogRecords"` // a 64-bit number, written as a string or as a number
			Message  string `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(said, &partial) == nil {
		if n := fmt.Sprint(partial.PartialSuccess.Rejected); n != "<nil>" && n != "0" {
			return fmt.Errorf("the collector rejected %s records: %q", n, partial.PartialSuccess.Message)
		}
	}
	return nil
}

type (
	otlpRequest struct {
		ResourceLogs []otlpResource `json:"resourceLogs"`
	}
	otlpResource struct {
		Resource  otlpAttributes `json:"resource"`
		ScopeLogs []otlpScope    `json:"scopeLogs"`
	}
	otlpAttributes struct {
		Attributes []otlpAttribute `json:"attributes"`
	}
	otlpScope struct {
		Scope struct {
			Name    string `json:"name"`
			Version string `json:"version,omitempty"`
		} `json:"scope"`
		LogRecords []otlpRecord `json:"logRecords"`
	}
	otlpRecord struct {
		TimeUnixNano         string          `json:"timeUnixNano"`
		ObservedTimeUnixNano string          `json:"observedTimeUnixNano"`
		SeverityNumber       int             `json:"severityNumber"`
		SeverityText         string          `json:"severityText"`
		EventName            string          `json:"eventName"`
		Body                 otlpValue       `json:"body"`
		Attributes           []otlpAttribute `json:"attributes"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	// otlpValue is a string, or a 64-bit number, which the JSON encoding of Protocol Buffers writes as a string.
	otlpValue struct {
		String *string `json:"stringValue,omitempty"`
		Int    *string `json:"intValue,omitempty"`
	}
)

func text(s string) otlpValue { return otlpValue{String: &s} }

func (c *collector) request(batch []audit.Exported) otlpRequest {
	scope := otlpScope{}
	scope.Scope.Name, scope.Scope.Version = "lanyard/audit", c.c.Version
	for _, e := range batch {
		scope.LogRecords = append(scope.LogRecords, record(e.Event))
	}
	return otlpRequest{[]otlpResource{{
		Resource: otlpAttributes{[]otlpAttribute{
			{"service.name", text("lanyard")}, {"service.version", text(c.c.Version)}, {"url.full", text(c.c.Service)},
		}},
		ScopeLogs: []otlpScope{scope},
	}}}
}

// record makes a log record: the event as JSON is its body, what one filters by its attributes. Names are those of the
// semantic conventions where there are some.
func record(e audit.Event) otlpRecord {
	number, name := severity(e.Outcome)
	seq := strconv.FormatInt(e.Seq, 10)
	r := otlpRecord{
		TimeUnixNano: strconv.FormatInt(e.Time.UnixNano(), 10), ObservedTimeUnixNano: strconv.FormatInt(time.Now().UnixNano(), 10),
		SeverityNumber: number, SeverityText: name, EventName: e.Action, Body: text(e.String()),
		Attributes: []otlpAttribute{{"lanyard.seq", otlpValue{Int: &seq}}, {"lanyard.action", text(e.Action)}, {"lanyard.outcome", text(string(e.Outcome))}},
	}
	add := func(key, value string) {
		if value != "" {
			r.Attributes = append(r.Attributes, otlpAttribute{key, text(value)})
		}
	}
	if e.User != nil {
		add("user.id", e.User.Object)
		add("user.full_name", e.User.Name)
		add("lanyard.tenant", string(e.User.Tenant))
	}
	add("session.id", string(e.Session))
	add("client.address", e.IP)
	add("lanyard.actor", e.Actor)
	add("lanyard.workspace", string(e.Workspace))
	add("lanyard.project", e.Project)
	add("lanyard.resource", e.Resource)
	return r
}

// severity is OpenTelemetry's: INFO, WARN for what was refused or ended by force, ERROR for failures and alarms.
func severity(o audit.Outcome) (int, string) {
	switch o {
	case audit.Denied, audit.Refused, audit.Cut:
		return 13, "WARN"
	case audit.Failed, audit.Alarm:
		return 17, "ERROR"
	}
	return 9, "INFO"
}
