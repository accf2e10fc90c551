package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/lanyardhq/lanyard/internal/observe"
)

// Traces sends a trace of some requests to an OTLP endpoint: a span for the request and one for each of its steps. Who
// asked is not in them; the request's ID leads to its record.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// TracesConfig makes Traces.
type TracesConfig struct {
	Endpoint string  // http or https URL of an OTLP/HTTP receiver, such as http://127.0.0.1:4318; the path /v1/traces is added where it has none
	Sample   float64 // part of the requests that are traced, 0 to 1, chosen by trace ID
	Version  string
	Log      *slog.Logger
}

// NewTraces returns Traces; nothing is sent before the first request is traced.
func NewTraces(ctx context.Context, c TracesConfig) (*Traces, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Endpoint), otlptracehttp.WithTimeout(5*time.Second))
	if err != nil {
		return nil, fmt.Errorf("make the traces' exporter: %w", err)
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(reporting{exporter, c.Log}),
		sdk.WithSampler(sdk.TraceIDRatioBased(c.Sample)),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "lanyard"), attribute.String("service.version", c.Version))),
	)
	return &Traces{provider, provider.Tracer("github.com/lanyardhq/lanyard")}, nil
}

// Close sends what was not sent yet, within ctx.
func (t *Traces) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// reporting logs what could not be sent, which the SDK would print.
type reporting struct {
	sdk.SpanExporter
	log *slog.Logger
}

// ExportSpans implements sdktrace.SpanExporter.
func (r reporting) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := r.SpanExporter.ExportSpans(ctx, spans); err != nil {
		r.log.Warn("traces could not be sent", "spans", len(spans), "error", err)
	}
	return nil
}

// span is a traced request.
type span struct {
	span trace.Span
	ctx  context.Context
}

// Parent implements observe.Trace.
func (s span) Parent() string {
	c := s.span.SpanContext()
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-" + c.TraceFlags().String()
}

// begin begins the span of a request. It belongs to the trace that a workspace's program named; what comes from
// elsewhere is not believed.
func (t *Traces) begin(q *observe.Request, r *http.Request, inside bool) {
	ctx := context.Background() // the span outlives the request's context
	if from := r.Header.Values("Traceparent"); inside && len(from) == 1 && observe.ValidTraceparent(from[0]) {
		ctx = remote(ctx, from[0])
	}
	ctx, s := t.tracer.Start(ctx, q.Method+" "+q.Site, trace.WithTimestamp(q.Start), trace.WithSpanKind(trace.SpanKindServer))
	q.Trace = span{s, ctx}
}

// remote makes a valid traceparent the parent.
func remote(ctx context.Context, traceparent string) context.Context {
	id, err := trace.TraceIDFromHex(traceparent[3:35])
	parent, err2 := trace.SpanIDFromHex(traceparent[36:52])
	if err != nil || err2 != nil {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: parent, Remote: true}))
}

// end ends a request's span, with a span for each step that it came to.
func (t *Traces) end(q *observe.Request) {
	s, ok := q.Trace.(span)
	if !ok || !s.span.IsRecording() {
		return
	}
	from := q.Start
	for step := range observe.Steps {
		if at, ok := q.At(step); ok {
			_, child := t.tracer.Start(s.ctx, step.String(), trace.WithTimestamp(from))
			from = q.Start.Add(at)
			child.End(trace.WithTimestamp(from))
		}
	}
	end := q.Start.Add(q.Duration)
	_, rest := t.tracer.Start(s.ctx, "end", trace.WithTimestamp(from))
	rest.End(trace.WithTimestamp(end))
	s.span.SetAttributes(
		attribute.String("lanyard.request", q.ID), attribute.String("lanyard.site", q.Site), attribute.String("http.request.method", q.Method),
		attribute.String("lanyard.outcome", q.Outcome.String()), attribute.Int("http.response.status_code", q.Status),
		attribute.Int64("http.response.body.size", q.Bytes), attribute.String("lanyard.action", q.Action),
		attribute.String("lanyard.project", q.Project), attribute.String("lanyard.code", q.Code),
	)
	if q.Outcome == observe.ServerError || q.Outcome == observe.Broken {
		s.span.SetStatus(codes.Error, q.Outcome.String())
	}
	s.span.End(trace.WithTimestamp(end))
}
