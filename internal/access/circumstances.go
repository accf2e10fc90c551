package access

import (
	"net/netip"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// everything is circumstances of which none is zero: what a slice leaves of them is what its policies read.
var everything = policy.Circumstances{
	Session: "-", Agent: "-", IP: netip.IPv4Unspecified(), SignedIn: time.Unix(1, 0), Strength: "-", Contexts: "-", Class: "-",
}

// circumstances are those of a request that a policy it can meet reads; the others stay zero.
func (s signedIn) circumstances(v *view, r Request) policy.Circumstances {
	slice := v.f.Policies.Slice(r.Action, r.Resource, r.Principal.Kind)
	if slice == nil {
		return policy.Circumstances{}
	}
	reads := slice.Reads(everything)
	if reads == (policy.Circumstances{}) {
		return reads
	}
	return slice.Reads(s.known(v, r, reads))
}

// known are the circumstances of a request as far as they are wanted, or cost nothing.
func (s signedIn) known(v *view, r Request, reads policy.Circumstances) policy.Circumstances {
	c := policy.Circumstances{Agent: r.Principal.Agent, Class: r.Class}
	if reads.IP.IsValid() {
		c.IP, _ = netip.ParseAddr(r.IP) // what cannot be read is not known
		c.IP = c.IP.Unmap()
	}
	if s.row != nil {
		c.Session, c.SignedIn, c.Strength = s.row.Called(), s.signIn.At, s.signIn.Strength
		if reads.Contexts != "" {
			c.Contexts = s.contexts(v, r)
		}
	}
	return c
}

// contexts are the authentication contexts that the person has stepped up to for this very request, as
// policy.Circumstances has them. An AI agent has none: what its person proved was not for it.
func (s signedIn) contexts(v *view, r Request) string {
	if r.Principal.Kind != identity.Person {
		return ""
	}
	return v.grants(v.user).Contexts(r.Action, r.Resource, s.signIn.ID, r.Principal.Workspace, v.now)
}
