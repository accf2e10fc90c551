package observe

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// TraceHeaders are what requests carry of a distributed trace (W3C Trace Context, W3C Baggage). None of them is passed
// on: what an upstream gets is made by Traceparent.
var TraceHeaders = []string{"Traceparent", "Tracestate", "Baggage"}

// Traceparent is the traceparent for an upstream: of Lanyard's own span when the request is traced, otherwise of the
// trace that the caller named, with a span ID of ours. What the caller wrote is never passed on as it stands; empty
// when there is no trace.
func Traceparent(ctx context.Context, inbound string) string {
	if r := From(ctx); r != nil && r.Trace != nil {
		return r.Trace.Parent()
	}
	if !ValidTraceparent(inbound) {
		return ""
	}
	var span [8]byte
	rand.Read(span[:])
	span[0] |= 1 // all zeros is no span
	flags := "00"
	if sampled(inbound) {
		flags = "01"
	}
	return "00-" + inbound[3:35] + "-" + hex.EncodeToString(span[:]) + "-" + flags
}

// ValidTraceparent reports whether s is a traceparent of version 00 (W3C Trace Context, section 3.2.2). Later
// versions begin alike and are read as far as they do.
func ValidTraceparent(s string) bool {
	if len(s) < 55 || len(s) > 55 && (s[:2] == "00" || s[55] != '-' || len(s) > 256) {
		return false
	}
	if s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" {
		return false
	}
	for _, part := range []string{s[:2], s[3:35], s[36:52], s[53:55]} {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return false
		}
	}
	return strings.Trim(s[3:35], "0") != "" && strings.Trim(s[36:52], "0") != ""
}

func sampled(traceparent string) bool {
	return strings.ContainsRune("13579bdf", rune(traceparent[54]))
}
