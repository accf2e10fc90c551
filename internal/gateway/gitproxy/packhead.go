package gitproxy

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// What is looked at of a pack before it is forwarded. Git writes a pack's commits first (pack-objects,
// compute_write_order), a few hundred bytes each.
const (
	maxLook     = 2 << 20 // bytes of the pack
	maxUnpacked = 4 << 20 // bytes of what they hold
	maxObject   = 1 << 20 // bytes of one commit
)

// Kinds of object in a pack (gitformat-pack).
const (
	objCommit   = 1
	objTree     = 2
	objBlob     = 3
	objTag      = 4
	objOffDelta = 6
	objRefDelta = 7
)

var errLooked = errors.New("more of the pack is not looked at")

// packHead reads the commits at the beginning of a pack, and keeps the bytes that it read for whoever forwards them.
type packHead struct {
	r        *bufio.Reader
	seen     []byte
	unpacked int
	sha256   bool
	parents  map[string][]string // of each commit
	byOffset map[int][]byte      // the content of each commit, where it begins in the pack: bases of deltas
	byID     map[string][]byte
}

func newPackHead(r *bufio.Reader, idDigits int) *packHead {
	return &packHead{r: r, sha256: idDigits == 2*sha256.Size, parents: map[string][]string{}, byOffset: map[int][]byte{}, byID: map[string][]byte{}}
}

// rest is the pack from its beginning.
func (p *packHead) rest() io.Reader { return io.MultiReader(bytes.NewReader(p.seen), p.r) }

// ReadByte and Read keep what they read. With ReadByte the decompressor reads no byte too many.
func (p *packHead) ReadByte() (byte, error) {
	if len(p.seen) >= maxLook {
		return 0, errLooked
	}
	b, err := p.r.ReadByte()
	if err == nil {
		p.seen = append(p.seen, b)
	}
	return b, err
}

// Read implements io.Reader.
func (p *packHead) Read(to []byte) (int, error) {
	if len(p.seen) >= maxLook {
		return 0, errLooked
	}
	n, err := p.r.Read(to[:min(len(to), maxLook-len(p.seen))])
	p.seen = append(p.seen, to[:n]...)
	return n, err
}

// commits reads until enough says so, the commits are over, or nothing more is looked at. What could not be read is as
// if it were not there.
func (p *packHead) commits(enough func() bool) {
	var head [12]byte
	if _, err := io.ReadFull(p, head[:]); err != nil || string(head[:4]) != "PACK" {
		return
	}
	if v := binary.BigEndian.Uint32(head[4:]); v != 2 && v != 3 {
		return
	}
	for range binary.BigEndian.Uint32(head[8:]) {
		if over, err := p.object(); over || err != nil || enough() {
			return
		}
	}
}

// object reads one object; over means that no commit follows.
func (p *packHead) object() (over bool, err error) {
	at := len(p.seen)
	kind, size, err := p.head()
	if err != nil {
		return false, err
	}
	var base []byte
	switch kind {
	case objTree, objBlob:
		return true, nil
	case objOffDelta:
		back, err := p.offset()
		if err != nil {
			return false, err
		}
		base = p.byOffset[at-back]
	case objRefDelta:
		id := make([]byte, p.idSize())
		if _, err := io.ReadFull(p, id); err != nil {
			return false, err
		}
		base = p.byID[hex.EncodeToString(id)]
	case objCommit, objTag:
	default:
		return false, fmt.Errorf("an object of kind %d", kind)
	}
	content, err := p.inflate(size)
	if err != nil || kind == objTag {
		return false, err
	}
	if kind != objCommit {
		if base == nil {
			return false, nil // of something that is not in the pack
		}
		if content, err = applyDelta(base, content); err != nil {
			return false, err
		}
		if p.unpacked += len(content); p.unpacked > maxUnpacked {
			return false, errLooked
		}
	}
	p.add(at, content)
	return false, nil
}

func (p *packHead) idSize() int {
	if p.sha256 {
		return sha256.Size
	}
	return sha1.Size
}

// add keeps a commit under the name that its content has.
func (p *packHead) add(at int, content []byte) {
	whole := fmt.Appendf(nil, "commit %d\x00%s", len(content), content)
	var id string
	if p.sha256 {
		sum := sha256.Sum256(whole)
		id = hex.EncodeToString(sum[:])
	} else {
		sum := sha1.Sum(whole)
		id = hex.EncodeToString(sum[:])
	}
	p.byOffset[at], p.byID[id] = content, content
	p.parents[id] = parentsOf(content)
}

// parentsOf reads a commit's header: a tree, then its parents.
func parentsOf(commit []byte) (parents []string) {
	head, _, _ := strings.Cut(string(commit), "\n\n")
	for line := range strings.SplitSeq(head, "\n") {
		if id, ok := strings.CutPrefix(line, "parent "); ok && isObjectID(id) {
			parents = append(parents, id)
		} else if !strings.HasPrefix(line, "tree ") {
			break
		}
	}
	return parents
}

// head reads an object's kind and size.
func (p *packHead) head() (kind, size int, err error) {
	b, err := p.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	kind, size = int(b>>4&7), int(b&15)
	for shift := 4; b&0x80 != 0; shift += 7 {
		if b, err = p.ReadByte(); err != nil {
			return 0, 0, err
		}
		if shift > 32 {
			return 0, 0, errors.New("an object of impossible size")
		}
		size |= int(b&0x7f) << shift
	}
	return kind, size, nil
}

// offset reads how far before its delta a base begins.
func (p *packHead) offset() (int, error) {
	b, err := p.ReadByte()
	if err != nil {
		return 0, err
	}
	n := int(b & 0x7f)
	for b&0x80 != 0 {
		if b, err = p.ReadByte(); err != nil {
			return 0, err
		}
		if n > maxLook {
			return 0, errors.New("a base before the pack's beginning")
		}
		n = (n+1)<<7 | int(b&0x7f)
	}
	return n, nil
}

func (p *packHead) inflate(size int) ([]byte, error) {
	if size > maxObject || p.unpacked+size > maxUnpacked {
		return nil, errLooked
	}
	p.unpacked += size
	z, err := zlib.NewReader(p)
	if err != nil {
		return nil, err
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(z, content); err != nil {
		return nil, err
	}
	if n, err := z.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) { // its check sum is read with its end
		return nil, errors.New("an object that is longer than it says")
	}
	return content, nil
}

var errDelta = errors.New("a delta that does not fit its base")

// applyDelta makes an object of its base (gitformat-pack, "Deltified representation").
func applyDelta(base, delta []byte) ([]byte, error) {
	from, delta, ok := varint(delta)
	to, delta, ok2 := varint(delta)
	if !ok || !ok2 || from != len(base) || to > maxObject {
		return nil, errDelta
	}
	made := make([]byte, 0, to)
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		if op == 0 || op < 0x80 && int(op) > len(delta) {
			return nil, errDelta
		}
		if op < 0x80 {
			made, delta = append(made, delta[:op]...), delta[op:]
		} else {
			var v [7]int // four bytes of an offset, three of a size
			for i := range v {
				if op&(1<<i) == 0 {
					continue
				}
				if len(delta) == 0 {
					return nil, errDelta
				}
				v[i], delta = int(delta[0]), delta[1:]
			}
			at, n := v[0]|v[1]<<8|v[2]<<16|v[3]<<24, v[4]|v[5]<<8|v[6]<<16
			if n == 0 {
				n = 1 << 16
			}
			if at > len(base) || n > len(base)-at {
				return nil, errDelta
			}
			made = append(made, base[at:at+n]...)
		}
		if len(made) > to {
			return nil, errDelta
		}
	}
	if len(made) != to {
		return nil, errDelta
	}
	return made, nil
}

func varint(b []byte) (n int, rest []byte, ok bool) {
	for shift := 0; shift <= 28 && len(b) > 0; shift += 7 {
		n |= int(b[0]&0x7f) << shift
		if b[0]&0x80 == 0 {
			return n, b[1:], true
		}
		b = b[1:]
	}
	return 0, nil, false
}
