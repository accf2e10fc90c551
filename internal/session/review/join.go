package review

import (
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// near is how far apart an entry of the tenant's log and a sign-in may be that only their circumstances join: a person
// takes some time between proving who they are and arriving, and tries again when something went wrong.
const near = 10 * time.Minute

// Join finds what is remembered of an entry of the tenant's log, and says by what. Nothing is joined with another user's.
func Join(e Logged, among []Remembered) (id string, by By, ok bool) {
	mine := slices.DeleteFunc(slices.Clone(among), func(r Remembered) bool { return r.User != e.User || r.Kind == Unbegun })
	tokens := TokenIDs(e)
	for _, r := range mine {
		if r.TokenID != "" && slices.Contains(tokens, r.TokenID) {
			return r.ID, ByToken, true
		}
	}
	for _, r := range mine {
		if e.Correlation != "" && strings.EqualFold(r.ID, e.Correlation) {
			return r.ID, ByCorrelation, true
		}
	}
	best := near + 1
	for _, r := range mine {
		if apart := r.At.Sub(e.At).Abs(); sameAddress(r.IP, e.IP) && apart < best {
			id, best = r.ID, apart
		}
	}
	return id, ByCircumstances, id != ""
}

func sameAddress(a, b string) bool {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX != nil || errY != nil {
		return a != "" && a == b
	}
	x, y = x.Unmap().WithZone(""), y.Unmap().WithZone("")
	return x == y || x.IsLoopback() && y.IsLoopback()
}

// TokenIDs are the forms that the ID of the token may have which the sign-in of an entry gave: what the log says
// (uniqueTokenIdentifier, which not every version of it has), and what is made of the entry's own ID, the ID of the
// request. A `uti` is the bytes of that GUID in base64url, in the order in which .NET writes them; the other order is
// accepted too.
func TokenIDs(e Logged) []string {
	var ids []string
	if e.TokenID != "" {
		ids = append(ids, strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(e.TokenID), "="))
	}
	b, err := hex.DecodeString(strings.ReplaceAll(e.ID, "-", ""))
	if err != nil || len(b) != 16 {
		return ids
	}
	ids = append(ids, base64.RawURLEncoding.EncodeToString(b))
	slices.Reverse(b[:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return append(ids, base64.RawURLEncoding.EncodeToString(b))
}
