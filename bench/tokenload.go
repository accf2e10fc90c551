package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// post is one asker who posts some bodies one after the other.
type post struct {
	target
	From           string // the loopback address that it comes from; empty: any
	User, Password string // of a client; empty: none
	Type           string
	Bodies         []string
}

// posts plays many askers at once, and gives the answers of each.
func (l *loadRole) posts(ctx context.Context, askers []post) ([][]string, error) {
	answers, failed := make([][]string, len(askers)), make([]error, len(askers))
	var all sync.WaitGroup
	for i, p := range askers {
		to, url := l.client(p.target)
		if p.From != "" {
			from := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(p.From)}}).DialContext, DisableCompression: true}
			defer from.CloseIdleConnections()
			to = from
		}
		all.Go(func() {
			for _, body := range p.Bodies {
				answer, err := p.once(ctx, to, url, body)
				if err != nil {
					failed[i] = err
					return
				}
				answers[i] = append(answers[i], answer)
			}
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func (p post) once(ctx context.Context, to http.RoundTripper, url, body string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	p.introduce(r)
	r.Header.Set("Content-Type", p.Type)
	if p.User != "" {
		r.SetBasicAuth(p.User, p.Password)
	}
	resp, err := to.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s: %s", resp.Status, text)
	}
	return string(text), err
}
