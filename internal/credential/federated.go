package credential

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// federated is a token of somebody else's issuer, such as a Kubernetes cluster's for a service account, that the app
// registration trusts. Whoever issues it renews the file; AZURE_FEDERATED_TOKEN_FILE names such a file.
//
// https://learn.microsoft.com/entra/workload-id/workload-identity-federation
type federated struct{ file string }

func (f federated) Kind() Kind   { return Federated }
func (f federated) File() string { return f.file }

func (f federated) Prove(_, _ string, now time.Time) (Proof, error) {
	token, err := readLine(f.file)
	if err != nil {
		return Proof{}, err
	}
	c, err := unverified(token)
	if err != nil {
		return Proof{}, fmt.Errorf("%s holds no token: %w", f.file, err)
	}
	p := Proof{Form: asserted(token), From: sha256.Sum256([]byte(token)), Ends: c.ends(), Says: c.says()}
	if !p.Ends.IsZero() && now.After(p.Ends) {
		return p, fmt.Errorf("the token in %s ended at %s: whoever writes the file has stopped renewing it", f.file, p.Ends.UTC().Format(time.RFC3339))
	}
	return p, nil
}

// ReadToken reads a federated token. It is an error when there is none, or when it has ended.
func ReadToken(file string, now time.Time) error {
	_, err := federated{file: file}.Prove("", "", now)
	return err
}

// claims are what a federated token says of itself. The tenant verifies it; we only explain it.
type claims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	Expires  json.Number     `json:"exp"`
}

func unverified(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, fmt.Errorf("a JWT has three parts, this has %d", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c claims
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return claims{}, fmt.Errorf("its claims cannot be read")
	}
	return c, nil
}

func (c claims) ends() time.Time {
	seconds, err := c.Expires.Float64()
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

func (c claims) says() string {
	return fmt.Sprintf("issuer %q, subject %q, audience %s", c.Issuer, c.Subject, c.Audience)
}
