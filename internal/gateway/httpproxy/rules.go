package httpproxy

import (
	"fmt"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
)

// action is what is asked of access for this request: calling an app is for developers, unless a rule of the app leaves
// the request to viewers.
func (x *exchange) action() identity.Action {
	if len(x.app.Rules) > 0 && x.app.Rules.Rule(x.in.Method, x.path).Role == project.Viewer {
		return identity.AppView
	}
	return identity.AppCall
}

// stands says what the rules of the app, as they are in the facts, have against a request that is allowed otherwise. It
// judges the bytes that are forwarded.
func (x *exchange) stands(f *access.Facts, d *access.Decision) string {
	_, app, ok := f.Projects.App(x.app.Name)
	if !ok || len(app.Rules) == 0 {
		if x.asked == identity.AppView {
			return "the rule that left it to viewers is gone"
		}
		return ""
	}
	ruling := app.Rules.Rule(x.in.Method, x.path)
	switch {
	case ruling.Role == project.NoRole:
		return fmt.Sprintf("%s %s: %s", x.in.Method, x.path, ruling.Why)
	case !d.Role.Includes(ruling.Role):
		return fmt.Sprintf("%s %s takes the role %s by the app's rule %s", x.in.Method, x.path, ruling.Role, ruling.By)
	}
	return ""
}
