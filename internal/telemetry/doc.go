// Package telemetry gives what internal/observe counted and noted to the world outside: metrics and health on the
// operations listener, traces to an OTLP endpoint, and a structured record for each request. No metric has a label that
// names a person or an address; no record and no trace holds a secret or a query string.
package telemetry
