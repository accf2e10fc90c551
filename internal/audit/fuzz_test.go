package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// fuzzKey is the same key every time.
func fuzzKey(f *testing.F) key {
	private, public, err := note.GenerateKey(zeros{}, origin)
	if err != nil {
		f.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		f.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		f.Fatal(err)
	}
	return key{private, signer, verifier}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i)
	}
	return len(b), nil
}

// FuzzCheckpoints reads a file of copied checkpoints: what opens was signed by the key, and nothing panics.
func FuzzCheckpoints(f *testing.F) {
	k := fuzzKey(f)
	text := origin + "\n23\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(append(append([]byte{}, signed...), "\n"+string(signed)+"\n"...))
	f.Add(signed[:len(signed)-9])
	f.Add([]byte(origin + "\n-1\n\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, n := range audit.SplitCheckpoints(file, origin) {
			if c, err := audit.OpenCheckpoint(n.Note(), k.verifier); err == nil && (c.Size != 23 || c.Origin != origin) {
				t.Errorf("opened %+v", c)
			}
			if p, err := audit.OpenPruning(n.Note(), k.verifier); err == nil {
				t.Errorf("a checkpoint is taken for %+v", p)
			}
		}
	})
}

// FuzzExportLine makes the leaf of a line and the line of the leaf again; an export of anything is read without panic.
func FuzzExportLine(f *testing.F) {
	k := fuzzKey(f)
	records, err := audit.EncodeAll([]audit.Event{
		event(1), {Action: "x"}, {Action: "x", IP: "192.0.2.1", Detail: map[string]any{"salts": map[string]any{"ip": "x"}, "ip": "y"}},
		{Action: "signin", User: audit.PersonOf(identity.UserID{Tenant: "t", Object: "o"}, "N\"\\\u2028<")},
	})
	if err != nil {
		f.Fatal(err)
	}
	for n, r := range records {
		body, err := r.Numbered(int64(n))
		if err != nil {
			f.Fatal(err)
		}
		line, err := audit.ExportLine(audit.Leaf{Seq: int64(n), Body: body, Clear: r.Clear})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
		f.Add(body)
	}
	f.Add([]byte(`{"from":3,"edge":["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]}`))
	f.Add([]byte(`{"seq":0,"pruned":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if body, err := audit.LeafOfLine(line); err == nil {
			if again, err := audit.LeafOfLine(body); err != nil || !bytes.Equal(again, body) {
				t.Errorf("the leaf %q of %q is not its own: %q, %v", body, line, again, err)
			}
			if !json.Valid(body) {
				t.Errorf("the leaf %q of %q is not JSON", body, line)
			}
		}
		if _, err := audit.VerifyExport(bytes.NewReader(line), k.verifier, nil); err != nil && !strings.Contains(err.Error(), "line") {
			t.Error(err)
		}
	})
}

// FuzzRecord encodes what an event may say, and finds it again in the leaf with its values, and in the line of an export.
func FuzzRecord(f *testing.F) {
	f.Add("ada", "Ada", "192.0.2.1", "repo:write", "https://git.example.test/a")
	f.Add("sha256:"+strings.Repeat("A", 43), "\xff\x00\"}", "", "salts", "{\"user\":1}")
	f.Fuzz(func(t *testing.T, object, name, ip, action, resource string) {
		e := audit.Event{Time: time.Unix(0, 0), Action: action, Resource: resource, IP: ip, User: &audit.Person{Object: object, Name: name}}
		r, err := audit.Encode(e)
		if err != nil {
			return
		}
		body, err := r.Numbered(7)
		if err != nil {
			t.Fatal(err)
		}
		leaf := audit.Leaf{Seq: 7, Body: body, Clear: r.Clear}
		got, err := leaf.Event()
		valid := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
		if err != nil || got.User.Object != valid(object) || got.User.Name != valid(name) || got.IP != valid(ip) {
			t.Errorf("%v, %v", got, err)
		}
		line, err := audit.ExportLine(leaf)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := audit.LeafOfLine(line); err != nil || sha256.Sum256(back) != sha256.Sum256(body) {
			t.Errorf("the line %q gives %q, not %q, %v", line, back, body, err)
		}
	})
}

// FuzzCursor reads cursors: what is taken is what would be given.
func FuzzCursor(f *testing.F) {
	f.Add("bm8gMSAx")
	f.Add("byAxIDE")
	f.Add("biAtMSAw")
	f.Fuzz(func(t *testing.T, text string) {
		m, down, err := audit.ParseCursor(text)
		if err == nil && audit.Cursor(m, down) != text {
			t.Errorf("%q is read as %v %v, which is %q", text, m, down, audit.Cursor(m, down))
		}
	})
}
