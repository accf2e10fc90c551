package gitread

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// kind is the type of an object in a pack (gitformat-pack).
type kind byte

const (
	commitKind kind = 1
	treeKind   kind = 2
	blobKind   kind = 3
	tagKind    kind = 4
	deltaKind  kind = 7 // against an object that is named
)

func (k kind) String() string {
	return map[kind]string{commitKind: "commit", treeKind: "tree", blobKind: "blob", tagKind: "tag"}[k]
}

// object is one object of a repository.
type object struct {
	kind kind
	data []byte
}

// format is how a repository names its objects.
type format struct {
	name string
	new  func() hash.Hash
	size int // bytes of a name
}

func sha1Format() format   { return format{"sha1", sha1.New, sha1.Size} }
func sha256Format() format { return format{"sha256", sha256.New, sha256.Size} }

func (f format) id(o object) string {
	h := f.new()
	fmt.Fprintf(h, "%s %d\x00", o.kind, len(o.data))
	h.Write(o.data)
	return hex.EncodeToString(h.Sum(nil))
}

// errTooLarge says that a pack holds more than is read.
var errTooLarge = errors.New("it holds more than Lanyard reads")

// readPack reads a pack that stands alone (no object of it is a difference to one outside), of at most so many bytes
// unpacked. Each object's name is made of its content, so an object of another name is not in the answer.
func readPack(from io.Reader, f format, most int64) (map[string]object, error) {
	in := bufio.NewReaderSize(from, 64<<10)
	var head [12]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, fmt.Errorf("read a pack: %w", err)
	}
	if string(head[:4]) != "PACK" || head[7] != 2 && head[7] != 3 {
		return nil, errors.New("read a pack: it is none")
	}
	count := int(head[8])<<24 | int(head[9])<<16 | int(head[10])<<8 | int(head[11])
	if count < 0 || count > 2*maxEntries { // a small object takes more memory than it has bytes
		return nil, fmt.Errorf("read a pack: %w", errTooLarge)
	}
	objects := map[string]object{}
	waiting := map[string][]object{} // differences, by the name of what they are to
	p := packReader{in: in, left: most}
	for range count {
		o, base, err := p.object(f)
		if err != nil {
			return nil, fmt.Errorf("read a pack: %w", err)
		}
		if o.kind == deltaKind {
			waiting[base] = append(waiting[base], o)
			continue
		}
		objects[f.id(o)] = o
	}
	var ready []string
	for id := range objects {
		ready = append(ready, id)
	}
	for len(ready) > 0 {
		id := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		base := objects[id]
		for _, d := range waiting[id] {
			data, err := p.apply(base.data, d.data)
			if err != nil {
				return nil, fmt.Errorf("read a pack: %w", err)
			}
			o := object{base.kind, data}
			name := f.id(o)
			if _, known := objects[name]; !known {
				objects[name] = o
				ready = append(ready, name)
			}
		}
		delete(waiting, id)
	}
	if len(waiting) > 0 {
		return nil, errors.New("read a pack: it holds differences to what it does not hold")
	}
	return objects, nil
}

type packReader struct {
	in   *bufio.Reader
	left int64 // bytes that may still be unpacked
}

// take counts bytes that are about to be unpacked.
func (p *packReader) take(n uint64) error {
	if n > uint64(max(p.left, 0)) {
		return errTooLarge
	}
	p.left -= int64(n)
	return nil
}

// object reads one entry; of a difference, also what it is to.
func (p *packReader) object(f format) (o object, base string, err error) {
	c, err := p.in.ReadByte()
	if err != nil {
		return o, "", err
	}
	o.kind = kind(c >> 4 & 7)
	size := uint64(c & 15)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if shift > 40 {
			return o, "", errTooLarge
		}
		if c, err = p.in.ReadByte(); err != nil {
			return o, "", err
		}
		size |= uint64(c&0x7f) << shift
	}
	switch o.kind {
	case commitKind, treeKind, blobKind, tagKind:
	case deltaKind:
		name := make([]byte, f.size)
		if _, err := io.ReadFull(p.in, name); err != nil {
			return o, "", err
		}
		base = hex.EncodeToString(name)
	default:
		return o, "", fmt.Errorf("it holds an object of type %d", o.kind)
	}
	if err := p.take(size); err != nil {
		return o, "", err
	}
	z, err := zlib.NewReader(p.in)
	if err != nil {
		return o, "", err
	}
	defer z.Close()
	var content bytes.Buffer // grows with what is there, whatever size is claimed
	if size <= smallObject {
		content.Grow(int(size) + bytes.MinRead) // given back below
	}
	if n, err := io.Copy(&content, io.LimitReader(z, int64(size)+1)); err != nil || uint64(n) != size {
		return o, "", errors.Join(errors.New("an object is not as long as it says"), err)
	}
	if o.data = content.Bytes(); size <= smallObject {
		o.data = bytes.Clone(o.data)
	}
	return o, base, nil
}

// smallObject is how many bytes an object has of which no more memory is kept.
const smallObject = 64 << 10

var errDelta = errors.New("a difference does not fit what it is to")

// apply makes an object of what it is a difference to (gitformat-pack, "Deltified representation").
func (p *packReader) apply(base, delta []byte) ([]byte, error) {
	from, delta, ok := varint(delta)
	to, delta, ok2 := varint(delta)
	if !ok || !ok2 || from != uint64(len(base)) {
		return nil, errDelta
	}
	if err := p.take(to); err != nil {
		return nil, err
	}
	var out []byte
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		if op&0x80 == 0 { // what follows is new
			if op == 0 || int(op) > len(delta) {
				return nil, errDelta
			}
			out, delta = append(out, delta[:op]...), delta[op:]
		} else {
			var at, n int
			for i := range 7 {
				if op&(1<<i) == 0 {
					continue
				}
				if len(delta) == 0 {
					return nil, errDelta
				}
				if i < 4 {
					at |= int(delta[0]) << (8 * i)
				} else {
					n |= int(delta[0]) << (8 * (i - 4))
				}
				delta = delta[1:]
			}
			if n == 0 {
				n = 0x10000
			}
			if at+n > len(base) {
				return nil, errDelta
			}
			out = append(out, base[at:at+n]...)
		}
		if uint64(len(out)) > to {
			return nil, errDelta
		}
	}
	if uint64(len(out)) != to {
		return nil, errDelta
	}
	return out, nil
}

func varint(b []byte) (n uint64, rest []byte, ok bool) {
	for shift := 0; len(b) > 0 && shift < 56; shift += 7 {
		c := b[0]
		b = b[1:]
		n |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			return n, b, true
		}
	}
	return 0, b, false
}
