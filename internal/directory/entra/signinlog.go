package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session/review"
)

// Graph lets an app read the log of sign-ins five times in ten seconds
// (https://learn.microsoft.com/graph/throttling-limits, identity and access reports).
const (
	logRequests = 5
	logPeriod   = 10 * time.Second
	logPages    = 5000 // of one reading: five million sign-ins
)

// SignInLogConfig is what a SignInLog needs. See Config.
type SignInLogConfig struct {
	Tenant     identity.TenantID
	ClientID   string
	Credential *credential.App
	TokenURL   string
	Graph      string
	HTTP       *http.Client
}

// SignInLog reads the tenant's own log of sign-ins to Lanyard's app registration. It is asked by one caller at a time, and
// waits by itself so that Graph's limit is kept; being throttled there holds nothing else back.
//
// https://learn.microsoft.com/graph/api/signin-list, permission AuditLog.Read.All.
type SignInLog struct {
	graph    *client
	tenant   identity.TenantID
	clientID string
	asked    [logRequests]time.Time // the last requests, the oldest at next
	next     int
}

// NewSignInLog returns a reader that has not asked anything.
func NewSignInLog(c SignInLogConfig) (*SignInLog, error) {
	base, err := graphBase(c.Graph)
	if err != nil {
		return nil, err
	}
	return &SignInLog{
		tenant: c.Tenant, clientID: c.ClientID,
		graph: &client{base: base, http: withoutRedirects(c.HTTP), figures: &figures{},
			app: newAppTokens(Config{ClientID: c.ClientID, Credential: c.Credential, TokenURL: c.TokenURL}, base)},
	}, nil
}

// LogRefused says that the tenant does not let Lanyard read its log, and what would.
type LogRefused struct{ Why string }

func (e *LogRefused) Error() string { return e.Why }

// signInPage is a page of sign-ins. Properties beyond those of v1.0 are read where they are there.
type signInPage struct {
	Value []signInItem `json:"value"`
	Next  string       `json:"@odata.nextLink"`
}

type signInItem struct {
	ID          string    `json:"id"`
	Created     time.Time `json:"createdDateTime"`
	Name        string    `json:"userDisplayName"`
	UserName    string    `json:"userPrincipalName"`
	User        string    `json:"userId"`
	App         string    `json:"appId"`
	IP          string    `json:"ipAddress"`
	Correlation string    `json:"correlationId"`
	TokenID     string    `json:"uniqueTokenIdentifier"` // beta
	Interactive *bool     `json:"isInteractive"`
	Status      struct {
		Code    int    `json:"errorCode"`
		Failure string `json:"failureReason"`
	} `json:"status"`
	Device struct {
		System  string `json:"operatingSystem"`
		Browser string `json:"browser"`
	} `json:"deviceDetail"`
	Policies []struct {
		Controls []string `json:"enforcedGrantControls"`
		Result   string   `json:"result"`
	} `json:"appliedConditionalAccessPolicies"`
	Location struct {
		City    string `json:"city"`
		Country string `json:"countryOrRegion"`
	} `json:"location"`
}

// Read implements review.Log. A page is handed on as soon as it is there.
func (l *SignInLog) Read(ctx context.Context, since time.Time, take func([]review.Logged) error) error {
	query := url.Values{"$filter": {fmt.Sprintf("createdDateTime ge %s and appId eq '%s'", since.UTC().Format(time.RFC3339), l.clientID)}, "$top": {"1000"}}
	link := l.graph.url("/auditLogs/signIns?" + strings.ReplaceAll(query.Encode(), "+", "%20"))
	for range logPages {
		if err := l.wait(ctx); err != nil {
			return err
		}
		var page signInPage
		if _, err := l.graph.get(ctx, link, &page); err != nil {
			return l.explained(err)
		}
		entries := make([]review.Logged, 0, len(page.Value))
		for _, item := range page.Value {
			if e, ok := l.entry(item); ok {
				entries = append(entries, e)
			}
		}
		if len(entries) > 0 {
			if err := take(entries); err != nil {
				return err
			}
		}
		if link = page.Next; link == "" {
			return nil
		}
	}
	return fmt.Errorf("the tenant's log of sign-ins since %s has more than %d pages", since.UTC().Format(time.RFC3339), logPages)
}

// wait returns when another request keeps Graph's limit.
func (l *SignInLog) wait(ctx context.Context) error {
	oldest := &l.asked[l.next]
	if !oldest.IsZero() && !sleep(ctx, time.Until(oldest.Add(logPeriod+logPeriod/20))) {
		return ctx.Err()
	}
	*oldest = time.Now()
	l.next = (l.next + 1) % len(l.asked)
	return nil
}

// entry makes an entry of what Graph says; false for what is of another app, or of nobody's doing.
func (l *SignInLog) entry(i signInItem) (review.Logged, bool) {
	if !strings.EqualFold(i.App, l.clientID) || i.ID == "" || len(i.ID) > idAtMost || i.Created.IsZero() || i.Interactive != nil && !*i.Interactive {
		return review.Logged{}, false
	}
	e := review.Logged{
		ID: i.ID, At: i.Created, User: identity.UserID{Tenant: l.tenant, Object: objectID(i.User)}, Name: i.Name, UserName: i.UserName, IP: i.IP,
		Correlation: strings.ToLower(i.Correlation), TokenID: i.TokenID, Code: i.Status.Code, Failure: i.Status.Failure,
		Place: joinedWords(i.Location.City, i.Location.Country), Device: joinedWords(i.Device.Browser, i.Device.System),
	}
	for _, p := range i.Policies {
		for _, control := range p.Controls {
			if p.Result == "success" && control != "" && !strings.ContainsAny(control, ", ") && !slices.Contains(e.Strength, control) {
				e.Strength = append(e.Strength, control)
			}
		}
	}
	return e, true
}

func joinedWords(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}

// explained says of refusals what to do about them.
func (l *SignInLog) explained(err error) error {
	var failed *graphError
	if !errors.As(err, &failed) {
		return err
	}
	switch {
	case failed.Status == http.StatusForbidden && (strings.Contains(failed.Code, "NonPremium") || strings.Contains(failed.Message, "premium")):
		return &LogRefused{"the tenant has no licence of Entra ID P1 or P2, which its log of sign-ins takes; without it nothing is compared"}
	case failed.Status == http.StatusForbidden || failed.Status == http.StatusUnauthorized:
		return &LogRefused{"Lanyard's app registration may not read the tenant's log of sign-ins: add the application permissions AuditLog.Read.All and " +
			"Directory.Read.All of Microsoft Graph, with admin consent, or write entra: {sign_in_log: none}"}
	}
	return err
}
