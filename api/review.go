package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Review says who signed in during a time, how, whether the tenant's log agrees, and what of people's rights nobody used.
type Review struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Log   ReviewLog `json:"log"`
	// Findings are sign-ins that the tenant's log and Lanyard do not agree about, the newest first.
	Findings []ReviewFinding `json:"findings"`
	People   []ReviewPerson  `json:"people" doc:"Who signed in; those with something to look at first"`
	More     int             `json:"more,omitempty" doc:"People who are left out: a shorter time names them"`
	Refused  []ReviewRefusal `json:"refused" doc:"Sign-ins that the tenant refused, by its number (AADSTS)"`
	Groups   []ReviewGroup   `json:"groups" doc:"The groups that give roles in projects; unused ones first"`
	Grants   []ReviewGrant   `json:"grants" doc:"The grants that held at some time; unused ones first"`
	// CountedFrom is since when uses are counted; absent, they are not yet. What was used before shows as unused.
	CountedFrom time.Time `json:"counted_from,omitzero"`
}

// ReviewLog says how the tenant's own log of sign-ins was read.
type ReviewLog struct {
	Compared bool      `json:"compared" doc:"It covers the time, and was read without a problem"`
	From     time.Time `json:"from,omitzero" doc:"It is known since; absent, it was never read"`
	Read     time.Time `json:"read,omitzero" doc:"When it was last read"`
	Problem  string    `json:"problem,omitempty" doc:"Why it cannot be read, and what to do"`
	Entries  int       `json:"entries" doc:"Sign-ins to Lanyard in it, refused ones too"`
	Joined   int       `json:"joined" doc:"Of these: belong to a sign-in here"`
	// JoinedBy counts by what that was seen: token, correlation, circumstances.
	JoinedBy map[string]int `json:"joined_by"`
}

// What a ReviewFinding is.
const (
	ReviewUnseen   = "unseen"   // the tenant signed somebody in to Lanyard, and nobody arrived
	ReviewUnlogged = "unlogged" // somebody arrived, and the tenant's log knows nothing of it
	ReviewUnbegun  = "unbegun"  // a sign-in that nobody was seen to begin
)

// ReviewFinding is a sign-in that is in one place only.
type ReviewFinding struct {
	Kind        string    `json:"kind" enum:"unseen,unlogged,unbegun"`
	At          time.Time `json:"at"`
	Found       time.Time `json:"found"`
	User        string    `json:"user"`
	UserName    string    `json:"user_name"`
	IP          string    `json:"ip,omitempty"`
	Place       string    `json:"place,omitempty" doc:"What the tenant makes of the address"`
	Device      string    `json:"device,omitempty"`
	Correlation string    `json:"correlation,omitempty" doc:"By which the tenant's log finds it"`
	Entry       string    `json:"entry,omitempty" doc:"The ID of the entry in the tenant's log (request ID)"`
	Says        string    `json:"says"`
	Do          string    `json:"do"`
}

// ReviewPerson is how somebody signed in.
type ReviewPerson struct {
	User      string        `json:"user"`
	UserName  string        `json:"user_name" doc:"The person's display name"`
	SignIns   int           `json:"sign_ins"`
	StepUps   int           `json:"step_ups"`
	Joined    int           `json:"joined" doc:"Of these: are in the tenant's log"`
	First     time.Time     `json:"first"`
	Last      time.Time     `json:"last"`
	Strengths []string      `json:"strengths" doc:"acr, as the tenant said it, and what policies of the tenant demanded and got, such as Mfa"`
	Contexts  []string      `json:"contexts" doc:"Authentication contexts"`
	Places    []ReviewPlace `json:"places"`
	Devices   []string      `json:"devices"`
	Guest     bool          `json:"guest,omitempty"`
	New       int           `json:"new,omitempty" doc:"Sign-ins from a new place or device that the person said nothing about"`
	Findings  int           `json:"findings,omitempty"`
}

// ReviewPlace is where somebody signed in from.
type ReviewPlace struct {
	IP    string `json:"ip"`
	Place string `json:"place,omitempty" doc:"What the tenant makes of the address"`
	Times int    `json:"times"`
}

// ReviewRefusal is why the tenant refused sign-ins.
type ReviewRefusal struct {
	Code    int    `json:"code" doc:"AADSTS"`
	Failure string `json:"failure,omitempty" doc:"The tenant's words"`
	Times   int    `json:"times"`
	People  int    `json:"people"`
}

// ReviewGroup is a group that gives a role in a project.
type ReviewGroup struct {
	Project string    `json:"project"`
	Role    string    `json:"role"`
	Group   string    `json:"group" doc:"Its ID, or app-role:VALUE"`
	Name    string    `json:"name"`
	Used    bool      `json:"used"`
	Last    time.Time `json:"last,omitzero"`
}

// ReviewGrant is a grant that held at some time.
type ReviewGrant struct {
	Grant
	Ended time.Time `json:"ended,omitzero" doc:"When somebody ended it before its time"`
	Used  bool      `json:"used"`
	Last  time.Time `json:"last,omitzero"`
}

// NewSignIn is a sign-in from where, or with what, the person had not signed in before.
type NewSignIn struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	IP        string    `json:"ip,omitempty"`
	Device    string    `json:"device"`
	NewPlace  bool      `json:"new_place,omitempty"`
	NewDevice bool      `json:"new_device,omitempty"`
	// MayConfirm: the session that asks was there before it.
	MayConfirm bool `json:"may_confirm" doc:"The asking session was there before it, and may say that it was one's own"`
}

// Review reads the review of a time; zero times are the last seven days.
func (c *Client) Review(ctx context.Context, since, until time.Time) (review Review, err error) {
	query := url.Values{}
	for name, at := range map[string]time.Time{"since": since, "until": until} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return review, c.Do(ctx, http.MethodGet, "/audit/review", query, nil, &review)
}

// NewSignIns lists one's own sign-ins from a new place or device, of the last days.
func (c *Client) NewSignIns(ctx context.Context) (page Page[NewSignIn], err error) {
	return page, c.Do(ctx, http.MethodGet, "/sign-ins/new", nil, nil, &page)
}

// KnowSignIn says that a sign-in was one's own, from a session that was there before it.
func (c *Client) KnowSignIn(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodPost, "/sign-ins/new/"+url.PathEscape(id), nil, nil, nil)
}
