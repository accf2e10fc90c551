package signin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	userinfoAtMost = 1 << 20 // bytes
	userinfoWithin = 20 * time.Second
)

// userinfo asks the provider what it says of the person whose access token this is (OpenID Connect Core, section 5.3).
// An answer about anybody else but the ID token's subject is nobody's. Only claims of the person are kept.
func (g generic) userinfo(ctx context.Context, p *provider, subject, access string) (map[string]json.RawMessage, error) {
	failed := func(err error) error {
		return problem.Wrap(err, problem.Unavailable, "The provider did not say which groups you are in, so you were not signed in. Try again in a moment.")
	}
	if p.userinfo == "" {
		return nil, failed(fmt.Errorf("the provider has no UserInfo endpoint"))
	}
	ctx, cancel := context.WithTimeout(ctx, userinfoWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.userinfo, nil)
	if err != nil {
		return nil, failed(fmt.Errorf("the address of UserInfo is no URL"))
	}
	r.Header.Set("Authorization", "Bearer "+access)
	r.Header.Set("Accept", "application/json")
	client := *g.http
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the token goes nowhere else
	res, err := client.Do(r)
	if err != nil {
		return nil, failed(fmt.Errorf("ask UserInfo: %w", err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, userinfoAtMost))
	if err != nil {
		return nil, failed(fmt.Errorf("read what UserInfo answers: %w", err))
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode != http.StatusOK || kind != "application/json" {
		return nil, failed(fmt.Errorf("UserInfo answered %d with %q, and not with JSON; a client of its own kind of answer (userinfo_signed_response_alg) has to be registered without it", res.StatusCode, kind))
	}
	var said map[string]json.RawMessage
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, failed(fmt.Errorf("read what UserInfo answers: %w", err))
	}
	if text(said["sub"]) != subject {
		return nil, refusedToken("UserInfo is about somebody else")
	}
	maps.DeleteFunc(said, func(name string, _ json.RawMessage) bool { return !g.ofPerson(name) })
	return said, nil
}

// ofPerson reports whether a claim says something of the person. What else UserInfo says (acr, auth_time, sid, jti) would
// be of an authentication, and the ID token alone says how and when this one was.
func (g generic) ofPerson(claim string) bool {
	switch claim {
	case "name", "preferred_username", "email", "hasgroups", g.tenant.OIDC.Groups[0]:
		return true
	}
	return len(g.tenant.OIDC.Roles) > 0 && claim == g.tenant.OIDC.Roles[0]
}
