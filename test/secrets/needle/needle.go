// Package needle looks for secrets in files, processes and streams. What it looks with are marks: hashes of parts of
// each secret in each form, so that a searcher can be put where the secrets must not be, and does not find itself.
package needle

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Window is how many bytes of a form make a mark. A secret of which so many bytes in a row are somewhere is found.
const Window = 16

// Mark is one part of one form of a secret.
type Mark struct {
	Name string   `json:"name"` // of the secret, and which form it is
	Roll uint64   `json:"roll"` // rolling hash of the part
	Sum  [32]byte `json:"sum"`  // SHA-256 of the part
}

// Marks makes the marks of a secret: as it is, in hexadecimal, percent-encoded, and in base64 with either alphabet and
// wherever in a longer text it begins. The secret is random in all its parts, or those that are not would be found
// everywhere; it has at least Window bytes.
func Marks(name string, secret []byte) ([]Mark, error) {
	if len(secret) < Window {
		return nil, fmt.Errorf("%s has %d bytes, fewer than a mark", name, len(secret))
	}
	var marks []Mark
	add := func(form, text string) {
		for _, at := range []int{0, (len(text) - Window) / 2, len(text) - Window} {
			part := []byte(text[at : at+Window])
			m := Mark{Name: name + ", " + form, Roll: roll(part), Sum: sha256.Sum256(part)}
			if !slices.ContainsFunc(marks, func(o Mark) bool { return o.Sum == m.Sum }) {
				marks = append(marks, m)
			}
		}
	}
	add("as it is", string(secret))
	add("hexadecimal", hex.EncodeToString(secret))
	add("hexadecimal", strings.ToUpper(hex.EncodeToString(secret)))
	add("percent-encoded", url.QueryEscape(string(secret)))
	for before := range 3 {
		for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			add("base64", core(alphabet, secret, before))
		}
	}
	return marks, nil
}

// core is what base64 makes of a secret that begins before bytes into a group of three, without the characters that
// its neighbours decide too.
func core(alphabet *base64.Encoding, secret []byte, before int) string {
	text := alphabet.EncodeToString(append(make([]byte, before), secret...))
	first := (before*8 + 5) / 6
	last := (before + len(secret)) * 8 / 6
	return text[first:last]
}

// The rolling hash is a polynomial modulo 2^64.
const factor = 0x9E3779B97F4A7C15

var leaving = func() uint64 { // factor to the power of Window-1: the weight of the byte that leaves
	p := uint64(1)
	for range Window - 1 {
		p *= factor
	}
	return p
}()

func roll(part []byte) (h uint64) {
	for _, b := range part {
		h = h*factor + uint64(b) + 1
	}
	return h
}

// Set finds marks.
type Set struct {
	byRoll map[uint64][]Mark
	filter []uint64 // a bit for each mark's rolling hash
}

const filterBits = 18

func bit(h uint64) uint64 { return h * 0xD6E8FEB86659FD93 >> (64 - filterBits) }

// NewSet returns a Set of marks.
func NewSet(marks []Mark) *Set {
	s := &Set{byRoll: map[uint64][]Mark{}, filter: make([]uint64, 1<<filterBits/64)}
	for _, m := range marks {
		s.byRoll[m.Roll] = append(s.byRoll[m.Roll], m)
		s.filter[bit(m.Roll)/64] |= 1 << (bit(m.Roll) % 64)
	}
	return s
}

// Find returns the names of what is in b, each once.
func (s *Set) Find(b []byte) (names []string) {
	if len(b) < Window {
		return nil
	}
	h := roll(b[:Window])
	for end := Window; ; end++ {
		if s.filter[bit(h)/64]&(1<<(bit(h)%64)) != 0 {
			for _, m := range s.byRoll[h] {
				if !slices.Contains(names, m.Name) && m.Sum == sha256.Sum256(b[end-Window:end]) {
					names = append(names, m.Name)
				}
			}
		}
		if end == len(b) {
			return names
		}
		h = (h-(uint64(b[end-Window])+1)*leaving)*factor + uint64(b[end]) + 1
	}
}
