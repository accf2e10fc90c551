package gitproxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"testing"
	"testing/iotest"
)

// FuzzAnswer: what is passed on of an answer is a beginning of it that ends between packets, however its bytes come, and the
// reader of packets agrees on where that is.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("0008NAK\n0009\x01PACK0000"), byte(3))
	f.Fuzz(func(t *testing.T, in []byte, cut byte) {
		pass := func(from io.Reader) ([]byte, error) {
			rec := httptest.NewRecorder()
			a := newAnswer(rec, make([]byte, answerBuffer))
			err := a.forward(from, func(int64) {})
			return rec.Body.Bytes(), err
		}
		whole, err := pass(bytes.NewReader(in))
		if !bytes.HasPrefix(in, whole) || err == nil && len(whole) != len(in) {
			t.Fatalf("%q of %q, %v", whole, in, err)
		}
		parts, again := pass(io.MultiReader(bytes.NewReader(in[:int(cut)%(len(in)+1)]), iotest.OneByteReader(bytes.NewReader(in[int(cut)%(len(in)+1):]))))
		if !bytes.Equal(whole, parts) || (err == nil) != (again == nil) {
			t.Fatalf("at once %q (%v), in parts %q (%v)", whole, err, parts, again)
		}
		p := newPackets(bytes.NewReader(in), make([]byte, maxPacket))
		n := 0
		for {
			packet, err := p.next()
			if errors.Is(err, errPack) {
				n = len(in)
			}
			if err != nil {
				break
			}
			n += len(packet)
		}
		if n != len(whole) {
			t.Fatalf("%d bytes are packets, %d were passed on, of %q", n, len(whole), in)
		}
	})
}

// FuzzCommands: what was read is what is forwarded, and every ref in it is one that can be judged and shown.
func FuzzCommands(f *testing.F) {
	f.Add([]byte(pkt(idA+" "+idB+" refs/heads/main\x00report-status side-band-64k atomic push-options") + flushPacket + pkt("ci.skip") + flushPacket + "PACK"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newPackets(bytes.NewReader(in), make([]byte, maxPacket))
		c, err := readCommands(p)
		if err == nil {
			err = c.readOptions(p)
		}
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(p.r)
		if !bytes.Equal(append(bytes.Clone(c.raw), rest...), in) {
			t.Fatal("what is forwarded is not what came")
		}
		for _, u := range c.updates {
			if !isObjectID(u.Old) || !isObjectID(u.New) || !isRefName(u.Name) {
				t.Fatalf("%+v", u)
			}
		}
		if len(rejection(c, same("no\nno"))) == 0 {
			t.Fatal("no report")
		}
	})
}

// FuzzPackHead: whatever a pack says of itself, what was read of it is given on, within its bounds, and every commit found
// in it has parents that are names.
func FuzzPackHead(f *testing.F) {
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x90\x0bx\x9c\x03\x00\x00\x00\x00\x01"))
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x9f\xff\xff\x7f")) // a commit that says it has 32 MiB
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newPackHead(bufio.NewReader(bytes.NewReader(in)), 40)
		p.commits(func() bool { return false })
		for id, parents := range p.parents {
			for _, parent := range append(parents, id) {
				if !isObjectID(parent) {
					t.Fatalf("a parent %q", parent)
				}
			}
		}
		if p.unpacked > maxUnpacked+maxObject {
			t.Fatalf("%d bytes were unpacked", p.unpacked)
		}
		got, err := io.ReadAll(p.rest())
		if err != nil || !bytes.Equal(got, in) {
			t.Fatalf("%d of %d bytes are given on: %v", len(got), len(in), err)
		}
	})
}

// FuzzDelta: a delta makes an object of the size that it says, or none.
func FuzzDelta(f *testing.F) {
	f.Add([]byte("tree\nparent"), []byte("\x0b\x04\x90\x04"))
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		made, err := applyDelta(base, delta)
		if err != nil {
			return
		}
		_, rest, _ := varint(delta)
		if size, _, _ := varint(rest); size != len(made) || len(made) > maxObject {
			t.Fatalf("%d bytes", len(made))
		}
	})
}
