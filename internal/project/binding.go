package project

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// Group is what a binding must know of a group.
type Group struct {
	ID       identity.GroupID
	Name     string
	Assigned bool // to Lanyard's enterprise application: only such groups may be meant by a name
	Security bool // a security group: only such groups may be meant by a name
}

// Groups is the directory as far as bindings read it.
type Groups interface {
	// Ready reports whether the directory has been read at all. Before, no name can be looked up.
	Ready() bool
	// Group finds a group by its ID.
	Group(identity.GroupID) (Group, bool)
	// AssignedGroups finds the security groups assigned to Lanyard's enterprise application that bear a name.
	AssignedGroups(name string) []Group
	// Assigned yields all groups assigned to Lanyard's enterprise application, in no particular order.
	Assigned() iter.Seq[Group]
}

// binding is a group as a role names it: by object ID, by an app role, or by a name.
type binding struct {
	source.Located
	object string // the object ID in lower case, or that of identity.AppRole; empty for a name
}

// appRoleValue is what Entra lets the value of an app role be:
// https://learn.microsoft.com/graph/api/resources/approle
var appRoleValue = shape(`^[!#-\-/-\[\]-~][!#-\[\]-~]{0,119}$`)

var guid = shape(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// parseBinding reads what stands in a list of groups; wrong is empty, or says what is wrong with it.
func parseBinding(l source.Located) (b binding, wrong string) {
	b.Located = l
	switch {
	case guid().MatchString(l.Text):
		b.object = strings.ToLower(l.Text)
	case strings.HasPrefix(l.Text, "app-role:"):
		value := strings.TrimPrefix(l.Text, "app-role:")
		if !appRoleValue().MatchString(value) {
			return b, "write the value of the app role after `app-role:`, as it stands in the app registration: app-role:Payments.Lead"
		}
		b.object = identity.AppRole("", value).Object
	case strings.Contains(l.Text, "@"):
		return b, "a role is given to a group, never to an e-mail address; write the group's object ID"
	case len(l.Text) > 256 || strings.TrimSpace(l.Text) != l.Text || strings.ContainsFunc(l.Text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return b, "this is neither a group's object ID nor its name"
	}
	return b, ""
}

// resolver finds the groups that bindings mean.
type resolver struct {
	tenant   identity.TenantID
	pins     map[string]identity.GroupID
	groups   Groups
	pinning  bool
	awaiting bool
	findings source.Findings
	newPins  []Pin
	named    map[string][]Group // what names were looked up already
}

// assigned looks a name up, once for all bindings: the directory may be long.
func (r *resolver) assigned(name string) []Group {
	found, known := r.named[name]
	if !known {
		found = r.groups.AssignedGroups(name)
		if r.named == nil {
			r.named = map[string][]Group{}
		}
		r.named[name] = found
	}
	return found
}

func (r *resolver) roles(written map[Role][]binding) map[Role][]identity.GroupID {
	out := make(map[Role][]identity.GroupID, len(written))
	for _, role := range slices.Sorted(maps.Keys(written)) {
		for _, b := range written[role] {
			if id, ok := r.resolve(b); ok && !slices.Contains(out[role], id) {
				out[role] = append(out[role], id)
			}
		}
	}
	return out
}

func (r *resolver) report(b binding, format string, args ...any) {
	r.findings = append(r.findings, b.Finding(format, args...))
}

// resolve finds the group that b means. A binding that is void gives nobody anything and is reported.
func (r *resolver) resolve(b binding) (identity.GroupID, bool) {
	if b.object == "" && r.tenant.Issuer() { // what such a tenant calls a group is all there is of it
		b.object = b.Text
	}
	ready := r.groups != nil && r.groups.Ready()
	if b.object != "" {
		id := identity.GroupID{Tenant: r.tenant, Object: b.object}
		if ready {
			if _, ok := r.groups.Group(id); ok {
				return id, true
			}
			if r.tenant.Issuer() {
				r.report(b, "nobody who has signed in so far is in %q, as the provider calls it; compare it with the claim to the letter", b.Text)
			} else if role, ok := id.AppRole(); ok {
				r.report(b, "Lanyard's app registration has no enabled app role %s, so nobody has this role through it", role)
			} else {
				r.report(b, "no group of the directory has the object ID %s, so nobody has this role through it", b.object)
			}
		}
		return id, true
	}
	if !ready {
		if r.groups == nil { // the files alone are checked: nothing is wrong with them
			return identity.GroupID{}, false
		}
		r.report(b, "the group %q cannot be looked up before the directory has been read; its object ID would not have to wait", b.Text)
		return identity.GroupID{}, false
	}
	found := r.assigned(b.Text)
	if pinned, ok := r.pins[b.Text]; ok {
		return pinned, r.stillMeans(b, pinned, found)
	}
	switch len(found) {
	case 0:
		r.report(b, "no security group called %q is assigned to Lanyard's enterprise application; assign it there, or write its object ID", b.Text)
		return identity.GroupID{}, false
	case 1:
		if !r.pinning {
			r.awaiting = true
			r.report(b, "the group %q is found and not yet pinned to its object ID %s", b.Text, found[0].ID)
			return identity.GroupID{}, false
		}
		pin := Pin{Name: b.Text, Group: found[0].ID}
		if !slices.Contains(r.newPins, pin) {
			r.newPins = append(r.newPins, pin)
		}
		return found[0].ID, true
	}
	ids := make([]string, len(found))
	for i, g := range found {
		ids[i] = g.ID.Object
	}
	r.report(b, "%q is the name of several assigned groups; write the object ID of the one that is meant: %s", b.Text, strings.Join(ids, ", "))
	return identity.GroupID{}, false
}

// stillMeans reports whether a name still stands for the group it was pinned to, and for no other.
func (r *resolver) stillMeans(b binding, pinned identity.GroupID, found []Group) bool {
	if len(found) == 1 && found[0].ID == pinned {
		return true
	}
	const mend = "; the role is void, write the object ID of the group that is meant"
	g, ok := r.groups.Group(pinned)
	switch {
	case len(found) > 1:
		r.report(b, "%q, which was the group %s, is now the name of several assigned groups"+mend, b.Text, pinned)
	case len(found) == 1:
		r.report(b, "%q, which was the group %s, is now the name of another group, %s"+mend, b.Text, pinned, found[0].ID)
	case !ok:
		r.report(b, "%q was the group %s, which is not in the directory any more"+mend, b.Text, pinned)
	case g.Name != b.Text:
		r.report(b, "%q was the group %s, which is now called %q"+mend, b.Text, pinned, g.Name)
	default:
		r.report(b, "the group %q (%s) is no longer assigned to Lanyard's enterprise application; the role is void, assign it again or write its object ID", b.Text, pinned)
	}
	return false
}
