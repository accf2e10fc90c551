package api

import (
	"context"
	"net/http"
	"time"
)

// DirectoryHealth says how Lanyard stands with the tenant: what it may, how it is told of changes, and what to mend.
type DirectoryHealth struct {
	At       time.Time          `json:"at" doc:"When all this was looked at"`
	Sound    bool               `json:"sound" doc:"There is no finding that is a problem"`
	Findings []DirectoryFinding `json:"findings" doc:"Problems first"`
	URL      string             `json:"url" doc:"Lanyard's own"`
	Reads    bool               `json:"reads" doc:"Lanyard reads the tenant's directory at Microsoft Graph"`
	Stopped  bool               `json:"stopped,omitempty" doc:"No server runs; the configuration was looked at alone"`
	// Leads says that this replica reads the tenant: what stands under reading and notifications is about this process.
	Leads         bool               `json:"leads"`
	Provider      string             `json:"provider,omitempty" doc:"What people sign in at, where that is not Entra"`
	Directory     Directory          `json:"directory"`
	Discovery     DiscoveryHealth    `json:"discovery"`
	Credentials   []CredentialHealth `json:"credentials" doc:"In the order in which they are tried"`
	Token         string             `json:"token,omitempty" doc:"Why no token can be had"`
	Registration  RegistrationHealth `json:"registration"`
	Redirects     []RedirectHealth   `json:"redirects"`
	Outside       []OutsideHealth    `json:"outside" doc:"Lanyard's own addresses, as they are reached by their names from its own machine"`
	Roles         RolesHealth        `json:"roles"`
	Permissions   []PermissionHealth `json:"permissions"`
	Reading       ReadingHealth      `json:"reading"`
	Notifications NotificationHealth `json:"notifications"`
	Latency       string             `json:"latency" doc:"How soon a change at the tenant has its effect here, in words"`
	SweepSeconds  float64            `json:"sweep_seconds"`
	SkewSeconds   float64            `json:"skew_seconds" doc:"How far the tenant's clock is ahead of this machine's"`
	Provisioning  ProvisioningHealth `json:"provisioning"`
	SignInLog     SignInLogHealth    `json:"sign_in_log"`
	SignIn        *SignInTest        `json:"sign_in,omitempty" doc:"A test sign-in, where one was made for this"`
}

// SignInLogHealth says how the tenant's log of sign-ins is compared with what happened here.
type SignInLogHealth struct {
	Wanted  bool      `json:"wanted" doc:"It is to be read"`
	Read    time.Time `json:"read,omitzero" doc:"When it last was"`
	Problem string    `json:"problem,omitempty" doc:"Why it cannot be read"`
	Flagged int       `json:"flagged" doc:"Sign-ins of the last seven days that are in one place only"`
}

// RolesHealth says who holds the roles of the whole installation.
type RolesHealth struct {
	Admins   int `json:"admins"`
	Auditors int `json:"auditors"`
	Void     int `json:"void" doc:"Names of groups or app roles in the configuration that give nothing"`
}

// DirectoryFinding is something to mend, or worth knowing.
type DirectoryFinding struct {
	Problem bool   `json:"problem" doc:"Otherwise it is only worth knowing"`
	Code    string `json:"code" doc:"The kind of fault, in letters and hyphens"`
	About   string `json:"about" doc:"discovery, credential, permission, registration, claims, redirect, outside, directory, roles, reading, notifications, clock, provisioning or sign-in"`
	Says    string `json:"says"`
	Do      string `json:"do,omitempty" doc:"What to do next"`
}

// CredentialHealth is how one of the app registration's credentials is doing.
type CredentialHealth struct {
	Kind    string    `json:"kind" doc:"federated credential, certificate or client secret"`
	File    string    `json:"file,omitempty"`
	Works   bool      `json:"works" doc:"The tenant gave a token for it, just now"`
	Ends    time.Time `json:"ends,omitzero" doc:"When what it is made of ends, where that is known"`
	Problem string    `json:"problem,omitempty"`
}

// PermissionHealth is an application permission at Microsoft Graph that Lanyard needs.
type PermissionHealth struct {
	Name    string `json:"name"`
	For     string `json:"for"`
	Granted bool   `json:"granted" doc:"A request that needs it succeeded, just now"`
	Problem string `json:"problem,omitempty"`
}

// ReadingHealth is how the reading of the tenant is doing since this process began to.
type ReadingHealth struct {
	Read         time.Time     `json:"read,omitzero" doc:"When all was last asked for and heard"`
	Problem      string        `json:"problem,omitempty" doc:"Why the last reading failed"`
	FailingSince time.Time     `json:"failing_since,omitzero"`
	Requests     int64         `json:"requests"`
	Throttled    int64         `json:"throttled" doc:"Requests answered with 429"`
	Failed       int64         `json:"failed" doc:"Requests that failed and may succeed when repeated"`
	QuietUntil   time.Time     `json:"quiet_until,omitzero" doc:"Graph asked not to be asked before"`
	Resyncs      int64         `json:"resyncs" doc:"Whole readings that were taken over"`
	Whole        []ReadingPart `json:"whole" doc:"Whole readings that are under way"`
	Refused      []string      `json:"refused" doc:"What of it Graph refuses, in words; it stays as it was"`
}

// ReadingPart is how far a whole reading is.
type ReadingPart struct {
	Of      string    `json:"of" doc:"users or groups"`
	Pages   int       `json:"pages"`
	Objects int       `json:"objects"`
	Resumed bool      `json:"resumed" doc:"It goes on where an earlier process was"`
	Since   time.Time `json:"since"`
}

// NotificationHealth is how change notifications are doing.
type NotificationHealth struct {
	URL           string               `json:"url,omitempty" doc:"Where Graph posts to; absent where it is not to"`
	Subscriptions []SubscriptionHealth `json:"subscriptions"`
	Last          time.Time            `json:"last,omitzero" doc:"When one last came that was genuine"`
	Genuine       int64                `json:"genuine"`
	Strange       int64                `json:"strange" doc:"Of no subscription or with another secret; they cost nothing"`
	Held          int64                `json:"held" doc:"Reads that were put off for some seconds, so as to spare Graph's quota"`
}

// SubscriptionHealth is one that Lanyard holds, or should.
type SubscriptionHealth struct {
	Of      string    `json:"of" doc:"users or groups"`
	Ends    time.Time `json:"ends,omitzero" doc:"Absent when there is none"`
	Problem string    `json:"problem,omitempty"`
}

// DirectoryHealth asks how Lanyard stands with the tenant. It makes the server ask the tenant some things.
func (c *Client) DirectoryHealth(ctx context.Context) (h DirectoryHealth, err error) {
	return h, c.Do(ctx, http.MethodGet, "/directory/health", nil, nil, &h)
}
