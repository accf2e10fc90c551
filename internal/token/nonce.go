package token

import (
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Nonces are what a server has clients put into DPoP proofs (RFC 9449 section 8), so that none is made ahead. They are
// sealed moments: every replica knows its own and the others', and none is kept.
type Nonces struct {
	Sealer *Sealer
	Life   time.Duration
}

const nonceAs = "dpop-nonce"

// New is a nonce of now.
func (n Nonces) New(now time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.Unix()))
	return base64.RawURLEncoding.EncodeToString(n.Sealer.Seal(nonceAs, b[:]))
}

// Good reports whether a nonce was given within its life.
func (n Nonces) Good(nonce string, now time.Time) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(nonce) > 256 {
		return false
	}
	plain, err := n.Sealer.Open(nonceAs, sealed)
	if err != nil || len(plain) != 8 {
		return false
	}
	at := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0)
	return !at.After(now.Add(time.Second)) && now.Sub(at) < n.Life
}
