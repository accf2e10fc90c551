package policy

import (
	"net/netip"
	"time"

	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// reads is a set of attributes of the context.
type reads uint16

const (
	readsSession reads = 1 << iota
	readsAgent
	readsIP
	readsNow
	readsSignedIn
	readsStrength
	readsContexts
	readsClass

	readsAll reads = 1<<iota - 1
)

var attributeReads = map[string]reads{
	"session": readsSession, "agent": readsAgent, "ip": readsIP, "now": readsNow, "signedIn": readsSignedIn,
	"strength": readsStrength, "contexts": readsContexts, "class": readsClass,
}

// contextReads finds what a policy reads of the context.
func contextReads(p *ast.Policy) reads {
	var found reads
	for _, c := range p.Conditions {
		found |= nodeReads(c.Body)
	}
	return found
}

// nodeReads finds what a part of a condition reads of the context. Who reads the context as a whole reads all of it.
func nodeReads(n ast.IsNode) reads {
	var found reads
	whole, fields := 0, 0
	field := func(arg ast.IsNode, name string) {
		if isNamed(arg, "context") {
			fields++
			found |= attributeReads[name]
		}
	}
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		switch n := n.(type) {
		case ast.NodeTypeVariable:
			if n.Name == "context" {
				whole++
			}
		case ast.NodeTypeAccess:
			field(n.Arg, string(n.Value))
		case ast.NodeTypeHas:
			field(n.Arg, string(n.Value))
		}
		return true
	})
	if whole != fields {
		return readsAll
	}
	return found
}

// only leaves of c what is read.
func (r reads) only(c Circumstances) Circumstances {
	if r&readsSession == 0 {
		c.Session = ""
	}
	if r&readsAgent == 0 {
		c.Agent = ""
	}
	if r&readsIP == 0 {
		c.IP = netip.Addr{}
	}
	if r&readsSignedIn == 0 {
		c.SignedIn = time.Time{}
	}
	if r&readsStrength == 0 {
		c.Strength = ""
	}
	if r&readsContexts == 0 {
		c.Contexts = ""
	}
	if r&readsClass == 0 {
		c.Class = ""
	}
	return c
}
