package upstream

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxCredential bounds a credential's file, which is one line.
const maxCredential = 64 << 10

// authorization returns the value of the Authorization header for a target; empty when it has no credential.
func (u *Upstream) authorization(r *http.Request, t Target) (string, error) {
	if value, ok, err := u.connected(r, t); ok {
		return value, err
	}
	ctx, c := r.Context(), t.Credential
	switch {
	case c.EntraApp != "":
		if u.apps == nil {
			return "", problem.New(problem.BadUpstream, "Lanyard has no app registration whose token %s could be asked with.", t.Name)
		}
		token, err := u.apps.AppToken(ctx, c.EntraApp)
		if err != nil {
			return "", fmt.Errorf("get the app's token for %s: %w", t.Name, err)
		}
		return "Bearer " + token, nil
	case c.EntraScope != "":
		token, err := u.tokens.AccessToken(ctx, t.Principal, c.EntraScope)
		if err != nil {
			return "", fmt.Errorf("get the person's token for %s: %w", t.Name, err)
		}
		return "Bearer " + token, nil
	case c.BasicFile != "":
		secret, err := u.secret(t, c.BasicFile)
		if err != nil {
			return "", err
		}
		if !bytes.Contains(secret, []byte(":")) {
			return "", u.unusable(t, c.BasicFile, errors.New("it is not of the form user:password"))
		}
		return "Basic " + base64.StdEncoding.EncodeToString(secret), nil
	case c.BearerFile != "":
		secret, err := u.secret(t, c.BearerFile)
		if err != nil {
			return "", err
		}
		return "Bearer " + string(secret), nil
	default:
		return "", nil
	}
}

// secret reads a credential's file. It is read for every use: that costs less than the request it is for, and a
// changed file holds at once.
func (u *Upstream) secret(t Target, file string) ([]byte, error) {
	secret, err := os.ReadFile(file)
	if err != nil {
		return nil, u.unusable(t, file, err)
	}
	secret = bytes.TrimSpace(secret)
	if len(secret) == 0 || len(secret) > maxCredential || bytes.ContainsAny(secret, "\r\n\x00") {
		return nil, u.unusable(t, file, errors.New("it does not hold one line"))
	}
	return secret, nil
}

func (u *Upstream) unusable(t Target, file string, err error) error {
	u.log.Error("an upstream's credential cannot be used", "upstream", t.Name, "file", file, "error", err)
	return problem.Wrap(err, problem.BadUpstream,
		"Lanyard cannot use its credential for %s; an administrator has to look at the file that the project names.", t.Name)
}

// refused is the error of an answer 401 to a credential.
func (u *Upstream) refused(r *http.Request, t Target) error {
	u.log.Error("an upstream refused its credential", "upstream", t.Name, "host", r.URL.Host, "user", t.Principal.User)
	if err := u.disconnected(r, t); err != nil {
		return err
	}
	if t.Credential.EntraApp != "" {
		return problem.New(problem.BadUpstream, "%s refused the token of Lanyard's app registration for %s; an administrator has to give that app access there.",
			r.URL.Hostname(), t.Name)
	}
	if t.Credential.EntraScope != "" {
		return problem.New(problem.BadUpstream,
			"%s refused your Entra token for %s; an administrator has to check that %s accepts it.", r.URL.Hostname(), t.Name, r.URL.Hostname())
	}
	return problem.New(problem.BadUpstream,
		"The upstream refused Lanyard's credential for %s; an administrator has to renew it.", t.Name)
}

// failed classifies an error of the transport. What it shows names the host and the kind of failure, nothing else.
func (u *Upstream) failed(r *http.Request, t Target, err error) error {
	if cause := context.Cause(r.Context()); cause != nil {
		return fmt.Errorf("send to %s: %w", t.Name, cause)
	}
	u.log.Warn("an upstream failed", "upstream", t.Name, "host", r.URL.Host, "error", err)
	why := "the connection failed"
	var dns *net.DNSError
	var op *net.OpError
	var slow net.Error
	switch {
	case errors.As(err, &slow) && slow.Timeout():
		return problem.Wrap(err, problem.SlowUpstream, "%s (%s) does not answer in time.", t.Name, r.URL.Host)
	case errors.As(err, &dns):
		why = "its name cannot be resolved"
	case errors.As(err, &op) && op.Op == "dial":
		why = "it cannot be reached"
	}
	return problem.Wrap(err, problem.BadUpstream, "%s (%s) does not answer: %s.", t.Name, r.URL.Host, why)
}
