package gitread

import (
	"bytes"
	"testing"
)

// FuzzPack: what an upstream sends as a pack is read within its bound, each object under the name that its content has.
func FuzzPack(f *testing.F) {
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00"))
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x33x\x9cKLJ\x06\x00\x02M\x01'"))
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x02\x33x\x9cKLJ\x06\x00\x02M\x01'\x75\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9dx\x9ccf`\x66\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 1 << 20
		got, err := readPack(bytes.NewReader(in), sha1Format(), most)
		if err != nil {
			return
		}
		for id, o := range got {
			if sha1Format().id(o) != id || len(o.data) > most {
				t.Fatalf("%s is an object of %d bytes", id, len(o.data))
			}
			if o.kind == treeKind {
				_, _ = parseTree(o.data, 20)
			}
		}
	})
}
