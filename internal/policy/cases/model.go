// Package cases tests policies: files beside them name people, what they ask for and what must come of it. It does no
// I/O; texts come in, results and coverage go out.
package cases

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/source"
)

// Suffix ends the name of a file of test cases.
const Suffix = "_test.yaml"

// noon is the moment of all cases that name no other, so that a case says tomorrow what it says today: a Monday.
var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// Expect is what a case wants, in the words of the decision.
type Expect string

const (
	Allow   Expect = "allow"
	Deny    Expect = "deny"
	StepUp  Expect = "step up"
	Request Expect = "request"
)

// of is what a verdict comes to. Who needs both signs in again first.
func of(v policy.Verdict) Expect {
	switch {
	case v.Allow:
		return Allow
	case v.StepUp != "":
		return StepUp
	case !v.Approval.IsZero():
		return Request
	}
	return Deny
}

// File is a file of cases, read.
type File struct {
	name     string
	tenant   identity.TenantID
	now      time.Time
	projects map[string]identity.ProjectID
	users    map[string]*user
	cases    []Case
}

// Case is one test: some people who ask for some actions on one resource, all with the same outcome.
type Case struct {
	File     string
	Line     int
	Name     string
	askers   []asker
	actions  []identity.Action
	resource identity.Resource
	needs    string // the resource's authentication context, when it is sensitive
	context  policy.Circumstances
	now      time.Time
	approved map[identity.GroupID]time.Time

	expect   Expect
	stepUp   string    // the context that a step-up must ask for; empty: any
	approval string    // the group that a request must go to; empty: any
	policies *[]string // the policies that decide; nil: any
}

type asker struct {
	name      string
	principal identity.Principal
}

type user struct {
	name   string
	id     identity.UserID
	groups map[identity.GroupID]bool
	roles  map[identity.ProjectID]policy.Role
	global map[policy.Role]bool
}

// Tenant is whose users the cases are about, where a configuration names none: policies then name people and groups by
// object IDs all the same.
const Tenant identity.TenantID = "11111111-1111-1111-1111-111111111111"

// finding makes a finding at a case.
func (c Case) finding(message string) source.Finding {
	return source.Finding{File: c.File, Line: c.Line, Message: message}
}
