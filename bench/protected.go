package main

import (
	"context"
	"fmt"
)

// protected is a place whose app the peers protect too.
type protected struct {
	*place
	auth    *part
	daemons []*daemon
	// visitors are the person, by the daemon's name, where they have to be signed in.
	visitors map[string]visitor
}

// newPeers starts a place with one person, and the peers that this machine has. A peer that is missing is skipped for
// each of the figures.
func newPeers(ctx context.Context, figures []string) (_ *protected, err error) {
	p := &protected{visitors: map[string]visitor{}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	at, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if p.place, err = newPlace(ctx, placeOrder{people: 1, redirects: []string{apacheRedirect(at)}}); err != nil {
		return nil, err
	}
	if p.auth, err = startPart("auth"); err != nil {
		return nil, err
	}
	auth, err := ask[string](ctx, p.auth, "start", nil)
	if err != nil {
		return nil, err
	}
	for _, one := range []struct {
		name  string
		start func() (*daemon, error)
		needs []string
	}{
		{"nginx", func() (*daemon, error) { return startNginx(ctx, p.folder, p.app, auth) }, []string{"nginx"}},
		{"caddy", func() (*daemon, error) { return startCaddy(ctx, p.folder, p.app, auth) }, []string{"caddy"}},
		{"apache", func() (*daemon, error) { return startApache(ctx, p.folder, p.app, at, p.tenant) }, []string{"apache2", oidcModule}},
	} {
		if err := missing(one.needs...); err != nil {
			for _, f := range figures {
				skip(f, fmt.Sprintf("beside %s: %v", one.name, err))
			}
			continue
		}
		d, err := one.start()
		if err != nil {
			return nil, err
		}
		p.daemons = append(p.daemons, d)
		if d.name == "apache" {
			if p.visitors[d.name], err = signedIn(ctx, at, 0); err != nil {
				return nil, fmt.Errorf("sign in at apache: %w", err)
			}
		}
	}
	return p, nil
}

func (p *protected) close() {
	for _, d := range p.daemons {
		d.close()
	}
	if p.auth != nil {
		p.auth.close()
	}
	if p.place != nil {
		p.place.close()
	}
}
