package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyardhq/lanyard/api"
)

// Question is what is asked of an address of Lanyard's.
type Question struct {
	For     string
	Address string
	Method  string // empty: nothing is asked beyond a connection
	// Ours reports whether an answer is this Lanyard's; nil: any is.
	Ours func(status int, header http.Header, body []byte) bool
}

// Outside connects to an address by its name, looks at the certificate, and asks.
func (p Prober) Outside(ctx context.Context, q Question) api.OutsideHealth {
	o := api.OutsideHealth{For: q.For, Address: q.Address, Names: []string{}}
	u, err := url.Parse(q.Address)
	if err != nil || u.Host == "" {
		o.Trouble, o.Problem = "http", "it is no URL"
		return o
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if trouble, err := p.connect(ctx, u, &o); err != nil {
		o.Trouble, o.Problem = trouble, err.Error()
		return o
	}
	if q.Method != "" {
		p.ask(ctx, q, &o)
	}
	return o
}

// connect connects, and over https looks at what is shown; it says what kind of trouble there is.
func (p Prober) connect(ctx context.Context, u *url.URL, o *api.OutsideHealth) (trouble string, err error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	dial := p.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	c, err := dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return "dns", err
		}
		return "connect", err
	}
	defer c.Close()
	if u.Scheme != "https" {
		return "", nil
	}
	// What is shown is looked at whether or not it is trusted, and then verified as everybody does. Nothing is sent here.
	seen := &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, NextProtos: []string{"http/1.1"}} //nolint:gosec // verified below
	secured := tls.Client(c, seen)
	if err := secured.HandshakeContext(ctx); err != nil {
		return "tls", err
	}
	return p.verify(secured.ConnectionState(), u.Hostname(), o)
}

func (p Prober) verify(state tls.ConnectionState, host string, o *api.OutsideHealth) (trouble string, err error) {
	o.Version = tls.VersionName(state.Version)
	if len(state.PeerCertificates) == 0 {
		return "tls", errors.New("it shows no certificate")
	}
	leaf := state.PeerCertificates[0]
	o.Names, o.Issuer, o.Ends = append(o.Names, leaf.DNSNames...), leaf.Issuer.String(), leaf.NotAfter
	options := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
	if p.TLS != nil {
		options.Roots = p.TLS.RootCAs
	}
	for _, c := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
		if c.NotAfter.Before(o.Ends) {
			o.Ends = c.NotAfter
		}
	}
	_, err = leaf.Verify(options)
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &name):
		return "tls-name", err
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "tls-time", err
	}
	return "tls-trust", err
}

func (p Prober) ask(ctx context.Context, q Question, o *api.OutsideHealth) {
	r, err := http.NewRequestWithContext(ctx, q.Method, q.Address, nil)
	if err != nil {
		o.Trouble, o.Problem = "http", "it is no URL"
		return
	}
	transport := &http.Transport{DialContext: p.Dial, TLSClientConfig: p.TLS, DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport, Timeout: within, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		o.Trouble, o.Problem = "http", withoutURL(err).Error()
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, atMost))
	if err != nil {
		o.Trouble, o.Problem = "http", err.Error()
		return
	}
	o.Status = res.StatusCode
	o.Stranger = q.Ours != nil && !q.Ours(res.StatusCode, res.Header, body)
}

// SameKeys is an Ours: the answer is a key set that has one of the keys whose IDs are given (RFC 7517).
func SameKeys(ids []string) func(int, http.Header, []byte) bool {
	return func(status int, _ http.Header, body []byte) bool {
		var set struct {
			Keys []struct {
				ID string `json:"kid"`
			} `json:"keys"`
		}
		if status != http.StatusOK || json.Unmarshal(body, &set) != nil {
			return false
		}
		for _, k := range set.Keys {
			for _, id := range ids {
				if k.ID == id {
					return true
				}
			}
		}
		return false
	}
}

// Says is an Ours: the answer has a status and a text in it.
func Says(status int, text string) func(int, http.Header, []byte) bool {
	return func(got int, _ http.Header, body []byte) bool {
		return got == status && strings.Contains(string(body), text)
	}
}
