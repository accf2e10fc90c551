package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
)

// TestFindings: each trouble is found once, says what it is, and what to do where somebody can do something.
func TestFindings(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	sound := api.DirectoryHealth{Leads: true, Directory: api.Directory{State: "fresh"}, Credentials: []api.CredentialHealth{{Kind: "federated credential", File: "/t", Works: true}}}
	live := []entra.Subscription{{Of: "groups", Ends: now.Add(time.Hour)}, {Of: "users", Ends: now.Add(time.Hour)}}
	for name, c := range map[string]struct {
		change  func(*api.DirectoryHealth)
		state   entra.State
		door    entra.Door
		token   error
		problem bool
		says    string // of the one finding; empty: none
	}{
		"sound":             {door: entra.Door{URL: "https://l", Subscriptions: live}},
		"behind a firewall": {says: "the sweep alone finds changes"},
		"expired secret": {change: func(h *api.DirectoryHealth) {
			h.Credentials = []api.CredentialHealth{{Kind: "client secret", File: "/s", Problem: "AADSTS7000222"}}
		}, token: errors.New("AADSTS7000222"), door: entra.Door{URL: "https://l", Subscriptions: live}, problem: true, says: "client secret /s does not work: AADSTS7000222"},
		"tenant out of reach": {change: func(h *api.DirectoryHealth) { h.Credentials[0].Works = false }, token: errors.New("no route"),
			door: entra.Door{URL: "https://l", Subscriptions: live}, problem: true, says: "No token can be had from the tenant: no route"},
		"certificate": {change: func(h *api.DirectoryHealth) {
			h.Credentials = []api.CredentialHealth{{Kind: "certificate", File: "/c", Works: true, Ends: now.Add(24 * time.Hour)}}
		}, door: entra.Door{URL: "https://l", Subscriptions: live}, problem: true, says: "expires at 2026-11-24"},
		"permission": {change: func(h *api.DirectoryHealth) {
			h.Permissions = []api.PermissionHealth{{Name: "User.Read.All", For: "users", Problem: "it is not granted"}}
		}, door: entra.Door{URL: "https://l", Subscriptions: live}, problem: true, says: "User.Read.All (users): it is not granted"},
		"stale": {change: func(h *api.DirectoryHealth) {
			h.Directory = api.Directory{State: "stale", AgeSeconds: 400, StaleAfterSeconds: 300}
		}, door: entra.Door{URL: "https://l", Subscriptions: live}, problem: true, says: "6m40s old, and may be 5m0s"},
		"first reading": {state: entra.State{Reading: []entra.Progress{{Of: "users", Pages: 3, Objects: 2997, Since: now}}},
			door: entra.Door{URL: "https://l", Subscriptions: live}, says: "2997 in 3 pages so far"},
		"failing":       {state: entra.State{Problem: "Graph answered 503", Failing: now}, door: entra.Door{URL: "https://l", Subscriptions: live}, problem: true, says: "Graph answered 503"},
		"throttled":     {state: entra.State{Quiet: now.Add(time.Minute), Throttled: 3, Requests: 9}, door: entra.Door{URL: "https://l", Subscriptions: live}, problem: true, says: "left alone until"},
		"was throttled": {state: entra.State{Throttled: 3, Requests: 9}, door: entra.Door{URL: "https://l", Subscriptions: live}, says: "throttled 3 of 9"},
		"unreachable": {door: entra.Door{URL: "https://l", Subscriptions: []entra.Subscription{live[0], {Of: "users", Problem: "Graph answered 400 ValidationError"}}},
			problem: true, says: "Changes of users cannot be subscribed to"},
		"lapsed":          {door: entra.Door{URL: "https://l", Subscriptions: []entra.Subscription{live[0], {Of: "users", Ends: now.Add(-time.Hour)}}}, problem: true, says: "has lapsed"},
		"clock":           {state: entra.State{Skew: -4 * time.Minute}, door: entra.Door{URL: "https://l", Subscriptions: live}, problem: true, says: "differ by 4m0s"},
		"another replica": {change: func(h *api.DirectoryHealth) { h.Leads = false }, state: entra.State{Problem: "old"}, says: "Another replica reads the tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			h := sound
			h.Credentials = append([]api.CredentialHealth(nil), sound.Credentials...)
			if c.change != nil {
				c.change(&h)
			}
			e := examiner{now: now, health: &h}
			e.credentials(c.token)
			e.permissions()
			e.directory()
			e.reading(c.state)
			e.notifications(c.door)
			e.clock(c.state.Skew)
			e.provisioning(nil, nil)
			if c.says == "" {
				if len(h.Findings) != 0 {
					t.Errorf("found %+v", h.Findings)
				}
				return
			}
			if len(h.Findings) != 1 || h.Findings[0].Problem != c.problem || !strings.Contains(h.Findings[0].Says, c.says) {
				t.Errorf("found %+v", h.Findings)
			}
		})
	}
}

// TestLatency says what to expect with and without notifications.
func TestLatency(t *testing.T) {
	ends := time.Now().Add(time.Hour)
	with := latency(time.Minute, entra.Door{URL: "https://l", Subscriptions: []entra.Subscription{{Ends: ends}, {Ends: ends}}})
	without := latency(time.Minute, entra.Door{})
	if !strings.Contains(with, "10 to 15 s are reported") || !strings.Contains(with, "every 1m0s") {
		t.Error(with)
	}
	if strings.Contains(without, "notification") || !strings.Contains(without, "every 1m0s") {
		t.Error(without)
	}
}
