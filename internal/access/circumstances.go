package access

import (
	"net/netip"
	"slices"
	"strings"
	"time"

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
		c.Session, c.SignedIn, c.Strength = string(s.row.Kind), s.signIn.At, s.signIn.Strength
		if reads.Contexts != "" {
			c.Contexts = s.contexts(v)
		}
	}
	return c
}

// contexts are the sign-in's authentication contexts that count now, as policy.Circumstances has them.
func (s signedIn) contexts(v *view) string {
	if len(s.signIn.Contexts) == 0 {
		return ""
	}
	if lasts := v.f.Bounds.StepUp; lasts > 0 {
		end := s.signIn.At.Add(lasts)
		if !v.now.Before(end) {
			return ""
		}
		v.ends(end)
	}
	return strings.Join(slices.Sorted(slices.Values(s.signIn.Contexts)), " ") + " "
}
