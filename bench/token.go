package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/issuer"
)

const (
	tokenPeople = 32 // each asks from a workspace of their own; one session gets 300 tokens a minute for an audience
	tokenTimes  = 50 // that each asks in a round
	tokenRounds = 3
)

// The benchmark's client: a service that takes tokens for one audience, and calls another for whoever called it.
const (
	frontClient   = "front"
	frontSecret   = "only-the-benchmark-knows-this"
	frontAudience = "https://front.example.test"
	backAudience  = "https://back.example.test"
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	tokenJWT      = "urn:ietf:params:oauth:token-type:jwt"
	formType      = "application/x-www-form-urlencoded"
)

// tokenWay is something that is asked of somebody who gives tokens.
type tokenWay struct {
	figure, name string
	by           spender
	askers       []post
	us           []float64
}

// benchToken measures the CPU time that an ES256 token takes in the server's process: asked for in a workspace through its
// tunnel, and exchanged by a client, each with the decision and the entry in the log; and what asking about one takes. Beside
// npm oidc-provider, which decides and records nothing, and the bare signature (for introspection: its verification).
func benchToken(ctx context.Context, b *bench) error {
	p, err := newPlace(ctx, placeOrder{people: tokenPeople})
	if err != nil {
		return err
	}
	defer p.close()
	ways, err := ownTokens(ctx, p)
	if err != nil {
		return err
	}
	peer, err := startOIDCProvider(ctx, p.folder)
	if err != nil {
		for _, figure := range []string{"token.mint.cpu", "token.exchange.cpu", "token.introspect.cpu"} {
			skip(figure+" vs oidc-provider", err.Error())
		}
	} else {
		defer peer.close()
		others, err := peerTokens(ctx, p, peer)
		if err != nil {
			return err
		}
		ways = append(ways, others...)
	}
	sign, verify, err := bareSignature()
	if err != nil {
		return err
	}
	bare := map[string][]float64{}
	for round := range tokenRounds + 1 {
		for _, w := range ways {
			ask := func() error {
				_, err := ask[[]string](ctx, p.load, "posts", w.askers)
				return err
			}
			cpu, err := b.cost(ctx, w.by, ask)
			if err != nil {
				return fmt.Errorf("%s of %s: %w", w.figure, w.name, err)
			}
			if round > 0 { // connections and leases are there
				w.us = append(w.us, float64(cpu.Microseconds())/float64(len(w.askers)*tokenTimes))
			}
		}
		for name, do := range map[string]func() error{"signature": sign, "verification": verify} {
			us, err := cpuOf(2000, do)
			if err != nil {
				return err
			}
			if round > 0 {
				bare[name] = append(bare[name], us)
			}
		}
	}
	return errors.Join(tellTokens(ways, bare), b.profiled(ctx, p.gateway, "token", func() error {
		_, err := ask[[]string](ctx, p.load, "posts", ways[0].askers)
		return err
	}))
}

// tellTokens prints the figures; the server's own ways come first.
func tellTokens(ways []*tokenWay, bare map[string][]float64) error {
	for _, own := range ways {
		if own.name != "lanyard" {
			continue
		}
		part := "signature"
		if own.figure == "token.introspect.cpu" {
			part = "verification"
		}
		compare(own.figure, median(own.us), "us", part, median(bare[part]))
		for _, other := range ways {
			if other.figure == own.figure && other != own {
				compare(own.figure, median(own.us), "us", other.name, median(other.us))
			}
		}
		tell("  %s: %.0f a CPU-second", own.figure, 1e6/median(own.us))
	}
	return nil
}

// ownTokens are the ways of the server, and gets the tokens that two of them start from.
func ownTokens(ctx context.Context, p *place) ([]*tokenWay, error) {
	order, err := json.Marshal(api.TokenOrder{Audience: "front"})
	if err != nil {
		return nil, err
	}
	host := strings.TrimPrefix(p.url, "http://")
	machine := target{Address: "127.0.0.1" + host[strings.LastIndexByte(host, ':'):], visitor: visitor{Host: host}}
	mint := &tokenWay{figure: "token.mint.cpu", name: "lanyard", by: p.gateway}
	exchange := &tokenWay{figure: "token.exchange.cpu", name: "lanyard", by: p.gateway}
	introspect := &tokenWay{figure: "token.introspect.cpu", name: "lanyard", by: p.gateway}
	for i := range p.people {
		mint.askers = append(mint.askers, post{target: target{Tunnel: i, Path: "/token"}, Type: "application/json", Body: string(order), Times: 1})
	}
	minted, err := ask[[]string](ctx, p.load, "posts", mint.askers)
	if err != nil {
		return nil, err
	}
	for i, text := range minted {
		var t api.Token
		if err := json.Unmarshal([]byte(text), &t); err != nil {
			return nil, err
		}
		mint.askers[i].Times = tokenTimes
		asker := post{target: machine, From: loopback(i), User: frontClient, Password: frontSecret, Type: formType, Times: tokenTimes}
		asker.Path, asker.Body = issuer.IntrospectionPath, url.Values{"token": {t.Token}}.Encode()
		introspect.askers = append(introspect.askers, asker)
		asker.Path, asker.Body = issuer.TokenPath, exchangeOf(t.Token)
		exchange.askers = append(exchange.askers, asker)
	}
	return []*tokenWay{mint, exchange, introspect}, nil
}

func exchangeOf(subject string) string {
	return url.Values{"grant_type": {tokenExchange}, "subject_token": {subject}, "subject_token_type": {tokenJWT}, "audience": {backAudience}}.Encode()
}

// loopback is an address of this machine's own: one address asks for so many tokens a minute.
func loopback(i int) string { return fmt.Sprintf("127.0.0.%d", 2+i) }

// cpuOf is the CPU time in microseconds that something takes in this process, each time of so many.
func cpuOf(times int, do func() error) (float64, error) {
	before, err := usedCPU()
	if err != nil {
		return 0, err
	}
	for range times {
		if err := do(); err != nil {
			return 0, err
		}
	}
	after, err := usedCPU()
	return float64(after-before) / float64(time.Microsecond) / float64(times), err
}
