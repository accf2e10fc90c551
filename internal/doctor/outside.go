package doctor

import (
	"strings"

	"github.com/lanyardhq/lanyard/api"
)

// What an address of Lanyard's is for.
const (
	ForPages         = "pages"
	ForWorkspaces    = "workspaces"
	ForApps          = "apps"
	ForNotifications = "notifications"
	ForProvisioning  = "provisioning"
)

const asOutside = "outside"

// outside looks at how Lanyard's own addresses are reached by their names.
func (e examiner) outside() {
	for _, o := range e.health.Outside {
		switch {
		case o.Trouble != "":
			e.unreached(o)
			continue
		case o.Stranger:
			e.mend("outside-stranger", asOutside, "Look where the name leads: to another machine, or to a proxy in front that does not pass this path on.",
				"%s, for %s, is answered by something that is not this Lanyard (status %d).", o.Address, o.For, o.Status)
		}
		if !o.Ends.IsZero() && o.Ends.Sub(e.now) < endsSoon {
			e.mend("outside-ends", asOutside, "Renew it. Files under tls are read again by themselves; a proxy in front has its own.",
				"The certificate that %s shows expires at %s.", o.Address, moment(o.Ends))
		}
		if o.Version == "TLS 1.0" || o.Version == "TLS 1.1" {
			e.mend("outside-old", asOutside, "Let the proxy in front speak TLS 1.2 at least; Entra takes nothing older.", "%s speaks %s.", o.Address, o.Version)
		}
	}
}

// troubles are what may be wrong with an address, and what to do.
var troubles = map[string]struct{ says, do string }{
	"dns":       {"has no address in the DNS as this machine sees it", "Add it to the DNS; below a domain of domains, a wildcard."},
	"connect":   {"cannot be connected to", "Let it be reached: a firewall, the port of the address, or a proxy in front that is down. Where this machine cannot reach its own public name and others can, this says nothing."},
	"tls-trust": {"shows a certificate that this machine does not trust", "Let the file hold the intermediate certificates too, and the certificate be of an authority that browsers know. Microsoft's notifications and provisioning take publicly trusted ones only."},
	"tls-name":  {"shows a certificate for other names", "Let the certificate name it; below a domain of domains, a wildcard."},
	"tls-time":  {"shows a certificate that does not hold now", "Renew it, and look at this machine's clock."},
	"tls":       {"does not agree on TLS", "Look what answers there: Lanyard, or a proxy in front, has to speak TLS 1.2 or newer."},
	"http":      {"does not answer as it should", "Look at the proxy in front, and at Lanyard's log."},
}

func (e examiner) unreached(o api.OutsideHealth) {
	t, known := troubles[o.Trouble]
	if !known {
		t = troubles["http"]
	}
	says := o.Problem
	if len(o.Names) > 0 && o.Trouble == "tls-name" {
		says = "it is for " + strings.Join(o.Names, ", ")
	}
	e.mend("outside-"+o.Trouble, asOutside, t.do, "%s, for %s, %s: %s.", o.Address, o.For, t.says, says)
}
