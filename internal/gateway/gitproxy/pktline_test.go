package gitproxy

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestPackets(t *testing.T) {
	whole := "0006a\n" + "0000" + "0001" + "0002" + "0004" + "fff0" + strings.Repeat("x", maxPacket-4)
	for _, r := range []io.Reader{strings.NewReader(whole), iotest.OneByteReader(strings.NewReader(whole))} {
		p := newPackets(r, make([]byte, maxPacket))
		var got []byte
		for {
			packet, err := p.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, packet...)
		}
		if string(got) != whole {
			t.Errorf("%d bytes came out of %d", len(got), len(whole))
		}
	}
	for text, want := range map[string]error{
		"0003": errPacket, "fff1": errPacket, "ffff": errPacket, "00g0": errPacket, "+006": errPacket, "000": io.ErrUnexpectedEOF,
		"0006a": io.ErrUnexpectedEOF, "0006": io.ErrUnexpectedEOF, "": io.EOF, "PACK\x00": errPack,
	} {
		if _, err := newPackets(strings.NewReader(text), make([]byte, maxPacket)).next(); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func FuzzPackets(f *testing.F) {
	f.Add([]byte("0006a\n00000001"))
	f.Add([]byte("0011\x01abcdPACK"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newPackets(bytes.NewReader(in), make([]byte, maxPacket))
		var got []byte
		for {
			packet, err := p.next()
			if err != nil {
				break
			}
			if n, err := packetLength(packet); err != nil || (n >= packetHead && n != len(packet)) || (n < packetHead && len(packet) != packetHead) {
				t.Fatalf("a packet of %d bytes says %d, %v", len(packet), n, err)
			}
			got = append(got, packet...)
		}
		if !bytes.HasPrefix(in, got) {
			t.Fatal("what came out is not what went in")
		}
		// The reader of requests agrees with the reader of packets, however the bytes are cut.
		var whole, bytewise wants
		whole.Write(in)
		for i := range in {
			bytewise.Write(in[i : i+1])
		}
		if whole.count != bytewise.count || whole.command != bytewise.command || whole.broken != bytewise.broken {
			t.Fatalf("%+v and %+v", whole.count, bytewise.count)
		}
	})
}

const (
	idA  = "67224801dc284774a21b13838a428c4167224801"
	idB  = "373570ebae234df68eb5477dfb40181f373570eb"
	none = "0000000000000000000000000000000000000000"
)

func pkt(lines ...string) string {
	var b []byte
	for _, l := range lines {
		b = appendPacket(b, l)
	}
	return string(b)
}

func TestCommands(t *testing.T) {
	list := pkt("shallow "+idA+"\n", idA+" "+idB+" refs/heads/main\x00 report-status side-band-64k agent=git/2.39.5", none+" "+idB+" refs/tags/v1\n") + flushPacket
	p := newPackets(strings.NewReader(list+"PACKrest"), make([]byte, maxPacket))
	c, err := readCommands(p)
	if err != nil {
		t.Fatal(err)
	}
	left, _ := io.ReadAll(p.r)
	if string(c.raw) != list || string(left) != "PACKrest" || !c.band || !c.report || len(c.updates) != 2 ||
		c.updates[0] != (update{idA, idB, "refs/heads/main"}) || c.updates[1] != (update{none, idB, "refs/tags/v1"}) {
		t.Errorf("%+v, left %q", c, left)
	}
	for name, bad := range map[string]string{
		"option":          pkt(idA + " " + idB + " --upload-pack=x"),
		"outside refs":    pkt(idA + " " + idB + " config"),
		"dots":            pkt(idA + " " + idB + " refs/heads/../../config"),
		"control":         pkt(idA + " " + idB + " refs/heads/a\x1bb"),
		"newline inside":  pkt(idA + " " + idB + " refs/heads/a\nb"),
		"space":           pkt(idA + " " + idB + " refs/heads/a b"),
		"lock":            pkt(idA + " " + idB + " refs/heads/a.lock"),
		"short ID":        pkt("abc " + idB + " refs/heads/a"),
		"upper-case ID":   pkt(strings.ToUpper(idA) + " " + idB + " refs/heads/a"),
		"mixed lengths":   pkt(idA + " " + idB + strings.Repeat("0", 24) + " refs/heads/a"),
		"certificate":     pkt("push-cert\x00push-options\n"),
		"no flush":        pkt(idA + " " + idB + " refs/heads/a"),
		"pack at once":    "PACK",
		"not packets":     "hello",
		"empty":           "",
		"delimiter":       "0001",
		"too many":        strings.Repeat(pkt(idA+" "+idB+" refs/heads/"+strings.Repeat("a", 4000)), 1100),
		"name over limit": pkt(idA + " " + idB + " refs/heads/" + strings.Repeat("a", 5000)),
	} {
		if _, err := readCommands(newPackets(strings.NewReader(bad), make([]byte, maxPacket))); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestWants(t *testing.T) {
	v2 := pkt("command=fetch", "agent=git/2.39.5") + "0001" + pkt("thin-pack", "want "+idA+"\n", "want "+idB+"\n", "want "+idA+"\n", "have "+none+"\n") + flushPacket
	v0 := pkt("want "+idA+" multi_ack side-band-64k\n", "want "+idB+"\n") + flushPacket + pkt("done\n")
	for name, request := range map[string]string{"v2": v2, "v0": v0} {
		var w wants
		io.Copy(&w, iotest.OneByteReader(strings.NewReader(request)))
		if w.count != 2 || w.objects[0] != idA || w.objects[1] != idB || w.broken || (name == "v2") != (w.command == "fetch") {
			t.Errorf("%s: %+v", name, w.objects)
		}
	}
	var many wants
	for i := range 500 {
		io.WriteString(&many, pkt("want "+idA[:36]+string([]byte{'a' + byte(i%6), '0' + byte(i/6%10), 'a' + byte(i/60%6), '0' + byte(i/360%10)})+"\n"))
	}
	if len(many.objects) != maxShown {
		t.Errorf("%d objects are kept", len(many.objects))
	}
}

// TestHeldBodyNeverGivesTheEndAway: until the body has ended with the lease still open, what is given out lacks its
// last bytes.
func TestHeldBodyNeverGivesTheEndAway(t *testing.T) {
	content := strings.Repeat("0123456789", 20_000)
	for _, wrap := range []func(io.Reader) io.Reader{
		func(r io.Reader) io.Reader { return r }, iotest.DataErrReader, iotest.HalfReader,
		func(r io.Reader) io.Reader { return iotest.OneByteReader(io.LimitReader(r, 3000)) },
	} {
		live := true
		got, err := io.ReadAll(newHeldBody(wrap(strings.NewReader(content)), func() bool { return live }, allowed))
		want := content
		if len(got) <= 3000 {
			want = content[:3000]
		}
		if string(got) != want || err != nil {
			t.Fatalf("%d of %d bytes, %v", len(got), len(want), err)
		}
		if len(got) < len(content) {
			continue // it ended by itself before the cut
		}
		var read int
		cut := newHeldBody(wrap(readerFunc(func(p []byte) (int, error) {
			n := copy(p, content[read:])
			read += n
			if read == len(content) {
				live = false // the cut comes after all was read, and before the end was seen
				return n, nil
			}
			return n, nil
		})), func() bool { return live }, allowed)
		got, err = io.ReadAll(cut)
		if err == nil || len(got) >= len(content) || cut.whole.Load() {
			t.Fatalf("%d of %d bytes went out after the cut, %v", len(got), len(content), err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func allowed() error { return nil }
