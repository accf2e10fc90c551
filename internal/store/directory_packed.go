package store

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"math/bits"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// A group's members are packed into parts of some hundreds each: one that changes costs a part, and a group costs few
// rows. A member is a byte of flags, its tenant where that is not the group's, and its object ID: a GUID in 16 bytes,
// anything else as text.
const (
	partHolds  = 256  // members of a part, about, when a group is written whole
	partAtMost = 2048 // members of a part that has grown; beyond it the group is divided anew
	levelBits  = 32
)

const (
	packedGroup = 1 << iota
	packedTenant
	packedGUID
)

var errPacked = errors.New("a packed set of members cannot be read")

// levelFor is into how many parts, as a power of two, so many members go.
func levelFor(members int) int {
	if members <= partHolds {
		return 0
	}
	return bits.Len(uint((members - 1) / partHolds))
}

// partOf is the part of a member at a level.
func partOf(m directory.Member, level int) int64 {
	h := fnv.New64a()
	h.Write([]byte(m.User.Object)) // never fails
	h.Write([]byte(m.Group.Object))
	sum := h.Sum64() * 0x9e3779b97f4a7c15 // the first bits of FNV alone are not even
	return int64(level)<<levelBits | int64(sum>>(64-level)&(1<<levelBits-1))
}

func levelOf(part int64) int { return int(part >> levelBits) }

// pack makes the bytes of a set, whose members are sorted: the same for the same set.
func pack(group identity.GroupID, members []directory.Member) []byte {
	b := make([]byte, 0, 17*len(members))
	for _, m := range members {
		flags, tenant, object := byte(0), m.User.Tenant, m.User.Object
		if !m.Group.IsZero() {
			flags, tenant, object = packedGroup, m.Group.Tenant, m.Group.Object
		}
		id, guid := guidOf(object)
		if guid {
			flags |= packedGUID
		}
		if tenant != group.Tenant {
			b = append(b, flags|packedTenant)
			b = binary.AppendUvarint(b, uint64(len(tenant)))
			b = append(b, tenant...)
		} else {
			b = append(b, flags)
		}
		if guid {
			b = append(b, id[:]...)
		} else {
			b = append(binary.AppendUvarint(b, uint64(len(object))), object...)
		}
	}
	return b
}

// guidOf reads a GUID in lower case; anything else stays as it is.
func guidOf(object string) (id [16]byte, ok bool) {
	if len(object) != 36 {
		return id, false
	}
	at := 0
	for i := range len(object) {
		c := object[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return id, false
			}
			continue
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return id, false
		}
		id[at/2] = id[at/2]<<4 | c
		at++
	}
	return id, true
}

// unpacker reads sets. IDs that are equal become one string: ten memberships name a user.
type unpacker struct{ known map[[16]byte]string }

func newUnpacker() *unpacker { return &unpacker{known: map[[16]byte]string{}} }

// each calls take with every member of a set.
func (u *unpacker) each(group identity.GroupID, b []byte, take func(directory.Member)) error {
	text := func() (string, bool) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return "", false
		}
		s := string(b[size : size+int(n)])
		b = b[size+int(n):]
		return s, true
	}
	for len(b) > 0 {
		flags, tenant, ok := b[0], group.Tenant, true
		b = b[1:]
		if flags&packedTenant != 0 {
			var s string
			s, ok = text()
			tenant = identity.TenantID(s)
		}
		var object string
		switch {
		case !ok:
		case flags&packedGUID == 0:
			object, ok = text()
		case len(b) < 16:
			ok = false
		default:
			object = u.guid([16]byte(b[:16]))
			b = b[16:]
		}
		if !ok {
			return errPacked
		}
		if flags&packedGroup != 0 {
			take(directory.Member{Group: identity.GroupID{Tenant: tenant, Object: object}})
		} else {
			take(directory.Member{User: identity.UserID{Tenant: tenant, Object: object}})
		}
	}
	return nil
}

func (u *unpacker) guid(id [16]byte) string {
	if s, ok := u.known[id]; ok {
		return s
	}
	var text [36]byte
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	s := string(text[:])
	u.known[id] = s
	return s
}
