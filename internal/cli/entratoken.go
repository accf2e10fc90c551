package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/registration"
)

const (
	// graphTools is Microsoft's own public client for administering by Graph ("Microsoft Graph Command Line Tools").
	graphTools = "14d82eec-204b-4c2f-b7e8-296a70dab67e"
	// graphResource is Microsoft Graph's name, whatever its address.
	graphResource = "https://graph.microsoft.com"
	// anyTenant lets the account decide the tenant.
	anyTenant = "organizations"
)

// setupScopes are the delegated permissions that setup works with.
func setupScopes() string {
	names := []string{"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "Synchronization.ReadWrite.All",
		"Directory.Read.All", "User.Read"}
	for i, name := range names {
		names[i] = graphResource + "/" + name
	}
	return strings.Join(names, " ")
}

// tenantClient speaks to the tenant and to Graph. Names below localhost are on this machine (RFC 6761, section 6.3), for
// an embedded tenant; a token follows no redirect.
func tenantClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{
		Timeout: 60 * time.Second,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				host, port, err := net.SplitHostPort(address)
				if err == nil && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
					address = net.JoinHostPort("127.0.0.1", port)
				}
				return dialer.DialContext(ctx, network, address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// graphToken is where setup's token comes from: a file, the Azure CLI, or a code that is entered in a browser.
func (a *app) graphToken(o setupOptions, e config.Entra, web *http.Client) (registration.Token, error) {
	tenant := o.tenant
	if tenant == "" {
		tenant = string(e.Tenant)
	}
	var get func(context.Context) (string, error)
	az, err := exec.LookPath("az")
	switch {
	case o.tokenFile != "":
		get = func(context.Context) (string, error) { return a.tokenOf(o.tokenFile) }
	case err == nil && !o.device:
		get = func(ctx context.Context) (string, error) { return azToken(ctx, az, tenant) }
	default:
		if tenant == "" {
			tenant = anyTenant
		}
		get = func(ctx context.Context) (string, error) {
			return a.deviceToken(ctx, web, e.Authority+"/"+url.PathEscape(tenant)+"/oauth2/v2.0/", o.signInAs)
		}
	}
	held := ""
	return func(ctx context.Context, renew bool) (string, error) {
		if held != "" && !renew {
			return held, nil
		}
		held, err = get(ctx)
		return held, err
	}, nil
}

func (a *app) tokenOf(file string) (string, error) {
	from := a.c.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, " \r\n\t") {
		return "", fmt.Errorf("%s does not hold an access token, and nothing else", file)
	}
	return token, nil
}

// azToken asks the Azure CLI, as whom somebody is signed in there.
func azToken(ctx context.Context, az, tenant string) (string, error) {
	args := []string{"account", "get-access-token", "--resource", graphResource, "--output", "json"}
	if tenant != "" {
		args = append(args, "--tenant", tenant)
	}
	cmd := exec.CommandContext(ctx, az, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var answer struct {
		AccessToken string `json:"accessToken"`
	}
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &answer)
	}
	if err != nil || answer.AccessToken == "" {
		line, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return "", fmt.Errorf("the Azure CLI gives no token (%s); sign in with `az login --allow-no-subscriptions`, or use --device", strings.TrimPrefix(line, "ERROR: "))
	}
	return answer.AccessToken, nil
}

// deviceToken signs a person in by a code that they enter in a browser (RFC 8628).
func (a *app) deviceToken(ctx context.Context, web *http.Client, endpoints, client string) (string, error) {
	var begun struct {
		Code     string `json:"device_code"`
		UserCode string `json:"user_code"`
		Address  string `json:"verification_uri"`
		Expires  int    `json:"expires_in"`
		Interval int    `json:"interval"`
	}
	if refused, err := postForm(ctx, web, endpoints+"devicecode", url.Values{"client_id": {client}, "scope": {setupScopes()}}, &begun); err != nil || refused != "" {
		return "", errors.Join(err, refusedBy(refused))
	}
	a.err.line("Open %s in a browser and enter the code %s.", begun.Address, begun.UserCode)
	interval := time.Duration(max(begun.Interval, 1)) * time.Second
	ctx, cancel := context.WithTimeout(ctx, time.Duration(begun.Expires)*time.Second)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return "", errors.New("nobody entered the code in time")
		case <-time.After(interval):
		}
		var answer struct {
			AccessToken string `json:"access_token"`
			Error       string `json:"error"`
		}
		refused, err := postForm(ctx, web, endpoints+"token", url.Values{
			"client_id": {client}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {begun.Code},
		}, &answer)
		switch {
		case err != nil:
			return "", err
		case answer.AccessToken != "":
			return answer.AccessToken, nil
		case answer.Error == "slow_down":
			interval += 5 * time.Second
		case answer.Error != "authorization_pending":
			return "", refusedBy(refused)
		}
	}
}

func refusedBy(text string) error {
	if text == "" {
		return nil
	}
	return fmt.Errorf("the tenant refuses the sign-in: %s", text)
}

// postForm posts a form and reads the answer. refused is what a refusal says.
func postForm(ctx context.Context, web *http.Client, address string, form url.Values, into any) (refused string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", errors.New("the address of the tenant is no URL")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := web.Do(r)
	if err != nil {
		return "", fmt.Errorf("ask the tenant: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return "", fmt.Errorf("ask the tenant: %w", err)
	}
	var failed struct {
		Description string `json:"error_description"`
		Error       string `json:"error"`
	}
	if err := errors.Join(json.Unmarshal(text, into), json.Unmarshal(text, &failed)); err != nil {
		return "", fmt.Errorf("the tenant's sign-in service answers %d, and not in JSON", answer.StatusCode)
	}
	if failed.Error == "" {
		return "", nil
	}
	line, _, _ := strings.Cut(failed.Description, "\r\n")
	return strings.TrimSpace(failed.Error + ": " + line), nil
}
