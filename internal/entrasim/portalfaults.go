package entrasim

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// faultWords are the kinds of fault for people.
var faultWords = []struct{ Kind, Words string }{
	{FaultThrottle, "too many requests (429)"}, {FaultError, "service unavailable (503)"}, {FaultDrop, "the connection is reset"},
	{FaultLose, "done, but no answer"}, {FaultTruncate, "half an answer"}, {FaultSlow, "a late answer"}, {FaultStall, "half an answer, then nothing"},
	{FaultExpire, "delta tokens are not known (410)"}, {FaultRefuse, "sign-ins and renewals are refused, by number"},
}

// The faults that are not of requests, as the page numbers them.
const (
	notificationsIndex = -1 - iota
	replaysIndex
	lagIndex
	silentIndex
	clockIndex
	limitsIndex
	replicationIndex
	signInLogIndex
)

type faultOnPage struct {
	Index        int
	Text, Befell string
}

// words says what a fault does.
func (f Fault) words() string {
	text := f.Kind
	for _, k := range faultWords {
		if k.Kind == f.Kind {
			text = k.Words
		}
	}
	if f.Status != 0 {
		text += fmt.Sprintf(" as %d", f.Status)
	}
	if f.Rate > 0 && f.Rate < 1 {
		text += " for " + percent(f.Rate) + " % of the requests"
	} else {
		text += " for every request"
	}
	switch {
	case f.Kind == FaultRefuse:
		text += fmt.Sprintf(" with AADSTS%d %s", f.Code, f.Path)
	case f.Path != "":
		text += " under " + f.Path
	default:
		text += " under " + graphPrefix
	}
	if f.Count > 0 {
		text += fmt.Sprintf(", %d times", f.Count)
	}
	if f.RetryAfterSeconds > 0 {
		text += fmt.Sprintf(", Retry-After %d s", f.RetryAfterSeconds)
	}
	if f.DelaySeconds > 0 {
		text += fmt.Sprintf(", %g s late", f.DelaySeconds)
	}
	return text
}

func percent(share float64) string { return strconv.FormatFloat(share*100, 'f', -1, 64) }

// planted is the fault with the number of a refusal, which befalls the token service and no path of Graph's.
func (f Fault) planted(code int) Fault {
	if f.Kind == FaultRefuse {
		f.Path, f.Code = "", code
	}
	return f
}

// faultsPage shows what goes wrong now, how often it did, and what else can.
func (t *Tenant) faultsPage() any {
	f, counts := t.Faults()
	var now []faultOnPage
	t.faults.mu.Lock()
	for i, one := range f.Requests {
		if i < len(t.faults.befell) {
			now = append(now, faultOnPage{i, one.words(), fmt.Sprintf("(befell %d)", t.faults.befell[i])})
		}
	}
	t.faults.mu.Unlock()
	n := f.Notifications
	if n != (NotificationFaults{}) {
		now = append(now, faultOnPage{notificationsIndex, fmt.Sprintf("Notifications: %s %% lost, %s %% doubled, %s %% overtaken, %g s delayed", percent(n.Lost), percent(n.Doubled),
			percent(n.Late), n.DelaySeconds), fmt.Sprintf("(lost %d, doubled %d, overtaken %d)", counts["lost"], counts["doubled"], counts["late"])})
	}
	if f.Replays > 0 {
		now = append(now, faultOnPage{replaysIndex, percent(f.Replays) + " % of what a delta tells is told twice", fmt.Sprintf("(%d)", counts["replayed"])})
	}
	if f.DeltaLagSeconds > 0 {
		now = append(now, faultOnPage{lagIndex, fmt.Sprintf("Deltas tell of a change %g s late", f.DeltaLagSeconds), ""})
	}
	if f.ReplicationLagSeconds > 0 {
		now = append(now, faultOnPage{replicationIndex, fmt.Sprintf("What is registered is known %g s late", f.ReplicationLagSeconds), ""})
	}
	if f.SignInLogLagSeconds > 0 {
		now = append(now, faultOnPage{signInLogIndex, fmt.Sprintf("A sign-in stands in the log %g s late", f.SignInLogLagSeconds), ""})
	}
	if f.SilentRevocations {
		now = append(now, faultOnPage{silentIndex, "Neither delta nor notification tells that sessions were revoked", ""})
	}
	if f.ClockOffsetSeconds != 0 {
		now = append(now, faultOnPage{clockIndex, fmt.Sprintf("The Date of answers is %g s ahead", f.ClockOffsetSeconds), ""})
	}
	if f.Limits != nil {
		now = append(now, faultOnPage{limitsIndex, fmt.Sprintf("Each app has %d resource units in 10 s, and %d writes in 150 s (0: no limit)", f.Limits.Units, f.Limits.Writes), ""})
	}
	return map[string]any{
		"Now": now, "Kinds": faultWords, "Lost": percent(n.Lost), "Doubled": percent(n.Doubled), "Late": percent(n.Late), "Delay": n.DelaySeconds,
		"Once": []struct{ Action, Words string }{
			{"expire", "Forget all delta tokens"}, {"drop", "Lose all subscriptions"}, {"reauthorize", "Ask subscriptions to be authorized anew"},
			{"lag", "Let deltas lag three seconds behind"}, {"replication", "Let what is registered be known ten seconds late"}, {"log", "Let the log of sign-ins be two minutes late"},
			{"revocations", "Keep revoked sessions out of deltas"}, {"limits", "Bound requests as Graph does"},
		},
	}
}

func (t *Tenant) faultForms() map[string]func(*http.Request) error {
	number := func(r *http.Request, name string) float64 {
		f, err := strconv.ParseFloat(strings.TrimSpace(r.PostForm.Get(name)), 64)
		if err != nil {
			return 0
		}
		return f
	}
	change := func(f func(*Faults)) error {
		now, _ := t.Faults()
		f(&now)
		return t.SetFaults(now)
	}
	return map[string]func(*http.Request) error{
		"request": func(r *http.Request) error {
			return change(func(f *Faults) {
				f.Requests = append(f.Requests, Fault{Kind: r.PostForm.Get("kind"), Path: strings.TrimSpace(r.PostForm.Get("path")), Rate: number(r, "percent") / 100,
					Count: int(number(r, "count")), RetryAfterSeconds: int(number(r, "after")), DelaySeconds: number(r, "delay")}.planted(int(number(r, "code"))))
			})
		},
		"notifications": func(r *http.Request) error {
			return change(func(f *Faults) {
				f.Notifications = NotificationFaults{Lost: number(r, "lost") / 100, Doubled: number(r, "doubled") / 100, Late: number(r, "late") / 100, DelaySeconds: number(r, "delay")}
			})
		},
		"end": func(r *http.Request) error {
			index := int(number(r, "index"))
			return change(func(f *Faults) { f.end(index) })
		},
		"endall":      func(*http.Request) error { return t.SetFaults(Faults{}) },
		"revocations": func(*http.Request) error { return change(func(f *Faults) { f.SilentRevocations = true }) },
		"lag":         func(*http.Request) error { return change(func(f *Faults) { f.DeltaLagSeconds = 3 }) },
		"replication": func(*http.Request) error { return change(func(f *Faults) { f.ReplicationLagSeconds = 10 }) },
		"log":         func(*http.Request) error { return change(func(f *Faults) { f.SignInLogLagSeconds = 120 }) },
		"limits": func(*http.Request) error {
			limits := GraphLimits(len(t.Users()))
			return change(func(f *Faults) { f.Limits = &limits })
		},
		"expire": func(*http.Request) error { t.ExpireDeltaTokens(); return nil },
		"drop":   func(*http.Request) error { t.DropSubscriptions(); return nil },
		"reauthorize": func(r *http.Request) error {
			ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
			defer cancel()
			return t.RequireReauthorization(ctx)
		},
	}
}

// end ends the fault that the page numbered so.
func (f *Faults) end(index int) {
	switch {
	case index >= 0 && index < len(f.Requests):
		f.Requests = append(f.Requests[:index:index], f.Requests[index+1:]...)
	case index == notificationsIndex:
		f.Notifications = NotificationFaults{}
	case index == replaysIndex:
		f.Replays = 0
	case index == lagIndex:
		f.DeltaLagSeconds = 0
	case index == replicationIndex:
		f.ReplicationLagSeconds = 0
	case index == signInLogIndex:
		f.SignInLogLagSeconds = 0
	case index == silentIndex:
		f.SilentRevocations = false
	case index == clockIndex:
		f.ClockOffsetSeconds = 0
	case index == limitsIndex:
		f.Limits = nil
	}
}
