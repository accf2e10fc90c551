package image

import (
	"errors"
	"net"
	"net/url"

	"github.com/lanyardhq/lanyard/internal/image/guard"
)

// cause is what went wrong on the way to a registry, for a person: without the addresses that were asked, which may hold what opens
// them (layers lie behind signed addresses, and a registry may send anywhere).
func cause(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error() // addresses of the network alone
	}
	for {
		of, ok := errors.AsType[*url.Error](err)
		if !ok {
			return guard.Short(err.Error())
		}
		err = of.Err
	}
}
