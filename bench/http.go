package main

import (
	"context"
	"time"
)

const (
	httpConnections = 32
	httpRounds      = 9
	httpRound       = 2 * time.Second
)

// benchHTTP measures the CPU time that a request for 1 KiB takes in the gateway's process: through a tunnel and /r/,
// with a lease, to an app with and without an assertion; beside a bare reverse proxy that is asked by TCP. The three
// take turns.
func benchHTTP(ctx context.Context, b *bench) error {
	p, err := newPlace(ctx, placeOrder{people: 1})
	if err != nil {
		return err
	}
	defer p.close()
	bare, err := startPart("bare")
	if err != nil {
		return err
	}
	defer bare.close()
	address, err := ask[string](ctx, bare, "proxy", proxyOrder{To: p.app})
	if err != nil {
		return err
	}
	ways := []struct {
		name string
		to   target
		by   *part
	}{
		{"bare", target{Address: address, Path: "/small"}, bare},
		{"plain", target{Path: "/r/plain/small"}, p.gateway},
		{"signed", target{Path: "/r/signed/small"}, p.gateway},
	}
	us := map[string][]float64{}
	for round := range httpRounds + 1 {
		for _, w := range ways {
			var n requestCount
			load := func() (err error) {
				n, err = ask[requestCount](ctx, p.load, "requests", requestOrder{w.to, httpConnections, httpRound})
				return err
			}
			cpu, err := b.cost(ctx, w.by, load)
			if err != nil {
				return err
			}
			if round == 0 { // connections are made, pools filled
				continue
			}
			us[w.name] = append(us[w.name], float64(cpu.Microseconds())/float64(n.Requests))
			tell("  %s: %.1f us of CPU a request, %.0f requests/s", w.name, us[w.name][round-1], float64(n.Requests)/httpRound.Seconds())
		}
	}
	for _, w := range ways {
		if err := b.profiled(ctx, w.by, "http-"+w.name, func() error {
			_, err := ask[requestCount](ctx, p.load, "requests", requestOrder{w.to, httpConnections, 5 * httpRound})
			return err
		}); err != nil {
			return err
		}
	}
	compare("http.cpu", median(us["plain"]), "us", "bare", median(us["bare"]))
	compare("http.cpu@assertion", median(us["signed"]), "us", "bare", median(us["bare"]))
	return nil
}
