package doctor

import (
	"fmt"

	"github.com/lanyardhq/lanyard/api"
)

// latency is how soon a change has its effect. Microsoft names none for users and groups ("Unknown" in its table of
// latencies, learn.microsoft.com/graph/change-notifications-overview); people report 10 to 15 seconds.
func latency(h *api.DirectoryHealth) string {
	sweep := seconds(h.SweepSeconds)
	switch {
	case h.Reads:
	case h.Directory.Members == "sign-in":
		return fmt.Sprintf("Lanyard does not read the tenant: a change has its effect at the person's next sign-in, or when Lanyard asks the tenant about them again, which is every %v.", sweep)
	default:
		return "Lanyard does not read the tenant: a change has its effect when the tenant's provisioning service tells it, which looks every 40 minutes, or at once where it is told to provision on demand."
	}
	swept := fmt.Sprintf("at the next sweep, which is every %v, as soon as Graph's own delta shows it", sweep)
	if !subscribed(h.Notifications) {
		return "A change has its effect here " + swept + "."
	}
	return "A change has its effect here well within a second of Graph's notification. How soon Graph notifies of users and groups Microsoft does not say; " +
		"10 to 15 s are reported. What no notification tells, and assignments of app roles, are found " + swept + "."
}

// subscribed says whether users and groups are both subscribed to.
func subscribed(n api.NotificationHealth) bool {
	for _, x := range n.Subscriptions {
		if x.Ends.IsZero() {
			return false
		}
	}
	return len(n.Subscriptions) > 0
}
