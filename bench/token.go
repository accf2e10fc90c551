package main

import (
	"context"
	"encoding/json"
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
	asker        func(person int) post
	// body is what is asked, given a token of the way that this one goes on from.
	body func(token string) string
	from *tokenWay // nil: from none
	got  [][]string
	us   []float64
}

// askers are all of a round, each with as many bodies; tokens are used in the order in which they were got.
func (w *tokenWay) askers() (all []post) {
	for i := range tokenPeople {
		p := w.asker(i)
		for n := range tokenTimes {
			token := ""
			if w.from != nil {
				token = w.from.got[i][n]
			}
			p.Bodies = append(p.Bodies, w.body(token))
		}
		all = append(all, p)
	}
	return all
}

// round asks, and gives the CPU time in microseconds that each answer took.
func (w *tokenWay) round(ctx context.Context, b *bench, load *part) (float64, error) {
	askers := w.askers()
	var answers [][]string
	cpu, err := b.cost(ctx, w.by, func() (err error) {
		answers, err = ask[[][]string](ctx, load, "posts", askers)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%s of %s: %w", w.figure, w.name, err)
	}
	w.got = make([][]string, len(answers))
	for i, all := range answers {
		for _, text := range all {
			var t struct {
				Token  string `json:"token"`
				Access string `json:"access_token"`
				Active *bool  `json:"active"`
			}
			if err := json.Unmarshal([]byte(text), &t); err != nil {
				return 0, err
			}
			if t.Active != nil && !*t.Active {
				return 0, fmt.Errorf("%s of %s: a good token is not active", w.figure, w.name)
			}
			w.got[i] = append(w.got[i], t.Token+t.Access)
		}
	}
	return float64(cpu.Microseconds()) / tokenPeople / tokenTimes, nil
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
	order, err := json.Marshal(api.TokenOrder{Audience: "front"})
	if err != nil {
		return err
	}
	ways := ownTokens(p, string(order))
	peer, err := startOIDCProvider(ctx, p.folder)
	if err != nil {
		for _, figure := range []string{"token.mint.cpu", "token.exchange.cpu", "token.introspect.cpu"} {
			skip(figure+" vs oidc-provider", err.Error())
		}
	} else {
		defer peer.close()
		ways = append(ways, peerTokens(peer)...)
	}
	sign, verify, err := bareSignature()
	if err != nil {
		return err
	}
	var signing, verifying []float64
	for round := range tokenRounds + 1 {
		for _, w := range ways {
			us, err := w.round(ctx, b, p.load)
			if err != nil {
				return err
			}
			if round > 0 { // connections and leases are there
				w.us = append(w.us, us)
			}
		}
		one, err := cpuOf(2000, sign)
		if err != nil {
			return err
		}
		other, err := cpuOf(2000, verify)
		if err != nil {
			return err
		}
		signing, verifying = append(signing, one), append(verifying, other)
	}
	tellTokens(ways, median(signing), median(verifying))
	return b.profiled(ctx, p.gateway, "token", func() error {
		_, err := ways[0].round(ctx, b, p.load)
		return err
	})
}

// tellTokens prints the figures of the server's own ways.
func tellTokens(ways []*tokenWay, signature, verification float64) {
	for _, own := range ways {
		if own.name != "lanyard" {
			continue
		}
		figure, _, _ := strings.Cut(own.figure, "@")
		if figure == "token.introspect.cpu" {
			compare(own.figure, median(own.us), "us", "verification", verification)
		} else {
			compare(own.figure, median(own.us), "us", "signature", signature)
		}
		for _, other := range ways {
			if other.figure == figure && other != own && other.name != own.name {
				compare(own.figure, median(own.us), "us", other.name, median(other.us))
			}
		}
		tell("  %s: %.0f a CPU-second", own.figure, 1e6/median(own.us))
	}
}

// ownTokens are the ways of the server: what is got in workspaces is exchanged, and what is got by that is asked about.
func ownTokens(p *place, order string) []*tokenWay {
	host := strings.TrimPrefix(p.url, "http://")
	machine := target{Address: "127.0.0.1" + host[strings.LastIndexByte(host, ':'):], visitor: visitor{Host: host}}
	client := func(path string) func(int) post {
		to := machine
		to.Path = path
		return func(i int) post {
			return post{target: to, From: loopback(i), User: frontClient, Password: frontSecret, Type: formType}
		}
	}
	mint := &tokenWay{figure: "token.mint.cpu", body: func(string) string { return order }, asker: func(i int) post {
		return post{target: target{Tunnel: i, Path: "/token"}, Type: "application/json"}
	}}
	exchange := &tokenWay{figure: "token.exchange.cpu", from: mint, body: exchangeOf, asker: client(issuer.TokenPath)}
	introspect := &tokenWay{figure: "token.introspect.cpu", from: exchange, body: aboutToken, asker: client(issuer.IntrospectionPath)}
	again := &tokenWay{figure: "token.introspect.cpu@again", from: exchange, body: aboutToken, asker: client(issuer.IntrospectionPath)}
	ways := []*tokenWay{mint, exchange, introspect, again}
	for _, w := range ways {
		w.name, w.by = "lanyard", p.gateway
	}
	return ways
}

func aboutToken(token string) string { return url.Values{"token": {token}}.Encode() }

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
