package server

import (
	"context"
	"fmt"
	"net"

	"github.com/lanyardhq/lanyard/internal/config"
)

// listeners are where a server of a configuration file answers; nil where it does not.
type listeners struct{ sites, plain, operations, replicas net.Listener }

// listen opens all of them or none.
func listen(ctx context.Context, c *config.Config) (out listeners, err error) {
	given, err := inherit()
	if err != nil {
		return listeners{}, err
	}
	var open []net.Listener
	defer func() {
		if err != nil {
			given.close()
			for _, l := range open {
				l.Close()
			}
			out = listeners{}
		}
	}()
	for _, one := range []struct {
		address, of string
		to          *net.Listener
	}{
		{c.Listen, "", &out.sites}, {c.TLS.Plain, " for plain HTTP", &out.plain},
		{c.Operations.Listen, " for operators", &out.operations}, {c.ListenReplicas, " for other replicas", &out.replicas},
	} {
		if one.address == "" {
			continue
		}
		l, err := given.listen(ctx, one.address)
		if err != nil {
			return out, fmt.Errorf("listen on %s%s: %w", one.address, one.of, err)
		}
		open = append(open, l)
		*one.to = l
	}
	return out, given.rest()
}
