package config

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
)

// Guests are the people of other tenants that are guests in this one.
type Guests struct {
	Refused bool
	// Lifetime is that of their sign-ins where it is shorter than sessions.lifetime. What becomes of an account at home, a
	// tenant does not learn of its guests; a new sign-in asks there.
	Lifetime time.Duration
}

const (
	noGuests             = "none"
	defaultGuestLifetime = 4 * time.Hour
)

// signIn reads how people sign in at the tenant.
func (p *parser) signIn(m source.Mapping) {
	c := &p.config.Entra
	c.Guests.Lifetime = defaultGuestLifetime
	if e, ok := m.Find("guests"); ok {
		p.guests(e.Value)
	}
	if e, ok := m.Find("response_mode"); ok {
		switch s, ok := e.Value.Text(); {
		case !ok:
		case s == "form_post":
			c.FormPost = true
		case s != "query":
			e.Value.Report("the tenant answers by query or by form_post")
		}
	}
}

func (p *parser) guests(v source.Value) {
	if v.IsText() {
		if s, _ := v.Text(); s == noGuests {
			p.config.Entra.Guests = Guests{Refused: true}
			return
		}
	}
	if d, ok := v.Duration(); ok { // of their sign-ins
		p.config.Entra.Guests.Lifetime = d
	}
}
