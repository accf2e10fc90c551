package image

import (
	"archive/tar"
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// What a layer says of names and links never leads out of the folder that it is unpacked into.
func TestAttack30ImageReachesNothingOutside(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	s := open(t, nil)
	secret := filepath.Join(s.dir, "secret")
	if err := os.WriteFile(secret, []byte("the server's own"), 0o600); err != nil {
		t.Fatal(err)
	}
	far := strings.Repeat("../", 30)
	for name, files := range map[string][]imagetest.File{
		"dots":                {{Name: far + s.dir + "/secret", Body: "x"}, {Name: "a/../../../" + secret, Body: "x"}},
		"absolute name":       {{Name: secret, Body: "x"}},
		"link out, then in":   {{Name: "out", Link: filepath.Dir(secret), Type: '2'}, {Name: "out/secret", Body: "x"}},
		"relative link out":   {{Name: "a/out", Link: far + filepath.Dir(secret), Type: '2'}, {Name: "a/out/secret", Body: "x"}},
		"chain of links":      {{Name: "one", Link: "two", Type: '2'}, {Name: "two", Link: far, Type: '2'}, {Name: "one" + secret, Body: "x"}},
		"folder over a link":  {{Name: "out", Link: filepath.Dir(secret), Type: '2'}, {Name: "out/", Mode: 0o777}, {Name: "out/secret", Body: "x"}},
		"whiteout of outside": {{Name: "out", Link: filepath.Dir(secret), Type: '2'}, {Name: "out/.wh.secret"}, {Name: "out/.wh..wh..opq"}},
		"whiteout of dots":    {{Name: ".wh..."}, {Name: ".wh..wh..wh."}, {Name: ".wh."}, {Name: "a/.wh..", Body: ""}},
		"file over a link":    {{Name: "out", Link: secret, Type: '2'}, {Name: "out", Body: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			ref := registry.Push(t, "hostile/"+strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", "")+":1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, files...)))
			ready, err := pull(t, s, ref) // may be refused or not
			if b, err := os.ReadFile(secret); err != nil || string(b) != "the server's own" {
				t.Errorf("%q, %v", b, err)
			}
			if info, err := os.Stat(filepath.Dir(secret)); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the store's own folder: %v %v", info, err)
			}
			if err != nil && strings.Contains(err.Error(), s.dir) && !strings.Contains(files[0].Name, s.dir) {
				t.Errorf("the server's folder is told: %v", err)
			}
			if err == nil && content(t, ready, "../config") == "" {
				t.Error("no configuration")
			}
		})
	}
	// A second name for a file of the machine.
	for _, target := range []string{secret, far + secret, "out/secret"} {
		ref := registry.Push(t, "hostile/hard:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t,
			imagetest.File{Name: "out", Link: filepath.Dir(secret), Type: '2'}, imagetest.File{Name: "hard", Link: target, Type: '1'})))
		if _, err := pull(t, s, ref); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%s: %v", target, err)
		}
	}
	// Users of an image, read through a link.
	ready := mustPull(t, s, registry.Push(t, "hostile/passwd:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "etc/passwd", Link: "/etc/passwd", Type: '2'}))))
	if len(ready.Users) > 0 {
		t.Errorf("users of the machine: %q", ready.Users)
	}
}

// What is small on the way and large here is ended at its bound, and leaves nothing.
func TestAttack27ImageBombs(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	s := open(t, func(c *Config) { c.Bounds = Bounds{Layers: 3, Compressed: 1 << 20, Unpacked: 1 << 20, Entries: 100} })
	many := make([]imagetest.File, 200)
	for i := range many {
		many[i] = imagetest.File{Name: strings.Repeat("d/", i+1)}
	}
	long := make([]imagetest.File, 50)
	for i := range long {
		long[i] = imagetest.File{Name: strings.Repeat(strings.Repeat("n", 99)+"/", 3) + strconv.Itoa(i)}
	}
	small := imagetest.Layer(t, imagetest.File{Name: "a", Body: "a"})
	random := imagetest.Layer(t, imagetest.File{Name: "big", Body: strings.Repeat("x", 3<<20)})
	for name, im := range map[string]v1.Image{
		"one large file":       imagetest.Image(t, v1.Config{}, random),
		"a file that says so":  imagetest.Image(t, v1.Config{}, imagetest.Bytes(t, headOnly(t, 1<<40))),
		"zeros behind its end": imagetest.Image(t, v1.Config{}, imagetest.Bytes(t, append(make([]byte, 1024), make([]byte, 8<<20)...))),
		"many files":           imagetest.Image(t, v1.Config{}, imagetest.Layer(t, many...)),
		"long names":           imagetest.Image(t, v1.Config{}, imagetest.Layer(t, long...)),
		"many layers":          imagetest.Image(t, v1.Config{}, small, small, small, small),
	} {
		ref := registry.Push(t, "bomb/"+strings.ReplaceAll(name, " ", "-")+":1", im)
		if _, err := pull(t, s, ref); problem.KindOf(err) != problem.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "files")); err != nil || len(left) > 0 {
		t.Errorf("images: %v %v", left, err)
	}
}

// A file that is a block in its layer and 8 TiB in whatever unpacks it is given to no engine either.
func TestAttack27SparseFiles(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	// The writer refuses these records: they get their name when they are written. Headers have sums, what records say has none.
	records := map[string]string{"XNU.sparse.major": "1", "XNU.sparse.minor": "0", "XNU.sparse.name": "large", "XNU.sparse.realsize": "8796093022208"}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "GNUSparseFile/large", Mode: 0o644, Size: 512, PAXRecords: records, Format: tar.FormatPAX}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(append([]byte("0\n"), make([]byte, 510)...)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := bytes.ReplaceAll(b.Bytes(), []byte("XNU."), []byte("GNU."))
	if h, err := tar.NewReader(bytes.NewReader(text)).Next(); err != nil || h.Size != 8<<40 {
		t.Fatalf("it is no sparse file: %+v %v", h, err)
	}
	layer := imagetest.Bytes(t, text)
	registry := imagetest.Serve(t, "", "")
	ref := registry.Push(t, "sparse:1", imagetest.Image(t, v1.Config{}, layer))
	if _, err := pull(t, open(t, nil), ref); problem.KindOf(err) != problem.Invalid || !strings.Contains(err.Error(), `"large"`) {
		t.Errorf("%v", err)
	}
	content, err := layer.DiffID()
	if err != nil {
		t.Fatal(err)
	}
	left := unread{1 << 20, 10}
	if _, err := left.read(bytes.NewReader(text), content); problem.KindOf(err) != problem.Invalid {
		t.Errorf("for an engine: %v", err)
	}
}

// headOnly is the header of a file of that size, and nothing of it.
func headOnly(t *testing.T, size int64) []byte {
	t.Helper()
	head := make([]byte, 512)
	copy(head, "sparse")
	copy(head[100:], "0000644\x000000000\x000000000\x00")
	head[124] = 0x80 // base-256, as GNU tar writes sizes of 8 GiB and more
	for i := range 8 {
		head[135-i] = byte(size >> (8 * i))
	}
	copy(head[136:], "00000000000\x00        0ustar\x0000")
	sum := 0
	for _, b := range head {
		sum += int(b)
	}
	copy(head[148:], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	return head
}

// The server asks nobody but the registry, and sends a password to nobody without TLS, whatever the registry says.
func TestAttack21RegistryLeadsNowhereElse(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	im := imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "f", Body: "f"}))
	foreign, err := mutate.Append(im, mutate.Addendum{
		Layer: imagetest.Layer(t, imagetest.File{Name: "g", Body: "g"}), URLs: []string{"http://169.254.169.254/latest/"}, MediaType: types.DockerForeignLayer,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, nil)
	if _, err := pull(t, s, registry.Push(t, "foreign:1", foreign)); problem.KindOf(err) != problem.Invalid || !strings.Contains(err.Error(), "not lie on its registry") {
		t.Errorf("%v", err)
	}
	spoil := func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://tokens.example.test/token",service="x"`)
		http.Error(w, "who is it?", http.StatusUnauthorized)
		return true
	}
	registry.Spoil.Store(&spoil)
	if _, err := s.Pull(t.Context(), workspace.PullOrder{Ref: registry.Host + "/led:1", User: "u", Password: "p"}, nil); problem.KindOf(err) != problem.Invalid || !strings.Contains(err.Error(), "tokens.example.test is asked without TLS") {
		t.Errorf("%v", err)
	}
}
