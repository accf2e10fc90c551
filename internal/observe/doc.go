// Package observe counts and times what happens, cheaply enough for the path of every request: counters and
// histograms that no two processors fight over, and the record of one request that whoever learns something fills in.
// What it holds is read by internal/telemetry, which gives it to the world outside.
package observe
