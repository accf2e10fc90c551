package main

import (
	"context"
	"errors"
	"time"
)

const (
	httpConnections = 32
	httpRounds      = 5
	httpRound       = 2 * time.Second
)

// httpWay is one way to the app.
type httpWay struct {
	name  string
	to    target
	by    spender
	apart spender // part of by that is also told alone; nil: none
	us    []float64
}

// benchHTTP measures the CPU time that a request for 1 KiB takes in the gateway's process: through a tunnel and /r/,
// with a lease, to an app with and without an assertion; beside a bare reverse proxy, nginx and Caddy that ask an
// authorization server for each request, and Apache with a person signed in by OpenID Connect. They take turns.
func benchHTTP(ctx context.Context, b *bench) error {
	peers, err := newPeers(ctx, []string{"http.cpu"})
	if err != nil {
		return err
	}
	defer peers.close()
	p := peers.place
	bare, err := startPart("bare")
	if err != nil {
		return err
	}
	defer bare.close()
	address, err := ask[string](ctx, bare, "proxy", proxyOrder{To: p.app})
	if err != nil {
		return err
	}
	ways := []*httpWay{
		{name: "bare", to: target{Address: address, Path: "/small"}, by: bare},
		{name: "plain", to: target{Path: "/r/plain/small"}, by: p.gateway},
		{name: "signed", to: target{Path: "/r/signed/small"}, by: p.gateway},
	}
	for _, d := range peers.daemons {
		w := &httpWay{name: d.name, to: target{Address: d.address, Path: "/small", visitor: peers.visitors[d.name]}, by: d}
		if d.name != "apache" {
			w.name, w.by = d.name+"+auth", together{d, peers.auth}
			w.apart = d
		}
		ways = append(ways, w)
	}
	alone := map[string][]float64{}
	for round := range httpRounds + 1 {
		for _, w := range ways {
			var n requestCount
			var apart time.Duration
			load := func() (err error) {
				n, err = ask[requestCount](ctx, p.load, "requests", requestOrder{w.to, httpConnections, httpRound})
				return err
			}
			if w.apart != nil {
				inner := load
				load = func() (err error) {
					apart, err = b.cost(ctx, w.apart, inner)
					return err
				}
			}
			cpu, err := b.cost(ctx, w.by, load)
			if err != nil {
				return errors.Join(errors.New(w.name), err)
			}
			if round == 0 { // connections are made, pools filled
				continue
			}
			each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n.Requests) }
			w.us = append(w.us, each(cpu))
			if w.apart != nil {
				alone[w.name] = append(alone[w.name], each(apart))
			}
			tell("  %s: %.1f us of CPU a request, %.0f requests/s", w.name, w.us[round-1], float64(n.Requests)/httpRound.Seconds())
		}
	}
	for _, w := range ways[:3] {
		if err := b.profiled(ctx, w.by.(*part), "http-"+w.name, func() error {
			_, err := ask[requestCount](ctx, p.load, "requests", requestOrder{w.to, httpConnections, 5 * httpRound})
			return err
		}); err != nil {
			return err
		}
	}
	plain, signed := median(ways[1].us), median(ways[2].us)
	compare("http.cpu", plain, "us", "bare", median(ways[0].us))
	for _, w := range ways[3:] {
		if w.apart != nil {
			compare("http.cpu", plain, "us", w.name[:len(w.name)-len("+auth")], median(alone[w.name]))
		}
		compare("http.cpu", plain, "us", w.name, median(w.us))
	}
	compare("http.cpu@assertion", signed, "us", "bare", median(ways[0].us))
	return nil
}
