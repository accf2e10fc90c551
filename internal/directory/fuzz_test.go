package directory

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// bytesSource draws random numbers from the fuzzer's bytes, and from a fixed sequence after them.
type bytesSource struct {
	bytes []byte
	after *rand.PCG
}

func (s *bytesSource) Uint64() uint64 {
	if len(s.bytes) < 2 {
		return s.after.Uint64()
	}
	n := binary.LittleEndian.Uint16(s.bytes)
	s.bytes = s.bytes[2:]
	return uint64(n) << 48 // what is drawn from a small range comes from the upper bits
}

// FuzzSnapshotAgreesWithModel lets the fuzzer choose the changes.
func FuzzSnapshotAgreesWithModel(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("a few changes of users, groups and memberships, and a reset"))
	f.Fuzz(func(t *testing.T, choices []byte) {
		r := rand.New(&bytesSource{choices, rand.NewPCG(1, 1)})
		s, m := Empty(), newModel()
		for range 12 {
			c := randomChange(r, r.IntN(6) == 0)
			before, was := s, m.clone()
			m.apply(c)
			next, touched := s.With(c)
			s = next
			check(t, s, before, m, was, touched)
		}
	})
}
