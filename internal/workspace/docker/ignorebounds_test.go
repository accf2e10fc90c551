package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// What a repository writes into its .dockerignore takes no processor for long, and ends when nobody waits for it any more.
func TestAttack27DockerignoreIsBounded(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"wildcards of a line": {"a\n" + strings.Repeat("*?", 17) + "\n", ".dockerignore:2: the line has 34 wildcards"},
		"a long line":         {"# " + strings.Repeat("x", 2000) + "\n\n" + strings.Repeat("y", 2000), ".dockerignore:3: the line has 2000 bytes"},
		"wildcards of all":    {strings.Repeat(strings.Repeat("*?", 16)+"\n", 70), ".dockerignore:63: with this line"},
		"a large file":        {strings.Repeat("x\n", 40_000), "80000 bytes"},
		"many lines":          {strings.Repeat("x\n", maxPatterns+1), "patterns"},
	} {
		_, err := readIgnored("Dockerfile", map[string][]byte{".dockerignore": []byte(c.text)})
		if problem.KindOf(err) != problem.Invalid || !strings.Contains(problem.Message(err), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	i, err := readIgnored("Dockerfile", map[string][]byte{".dockerignore": []byte("a*\n")})
	if err != nil {
		t.Fatal(err)
	}
	// A context without an end, all of which is left out.
	endless, in := io.Pipe()
	go func() {
		w := tar.NewWriter(in)
		for n := 0; w.WriteHeader(&tar.Header{Name: fmt.Sprintf("a%d", n), Typeflag: tar.TypeReg, Mode: 0o644}) == nil; n++ {
		}
	}()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("nobody waits")
	stopped := make(chan error, 1)
	go func() { stopped <- i.copy(ctx, io.Discard, endless) }()
	cancel(why)
	if err := <-stopped; !errors.Is(err, why) {
		t.Error(err)
	}
	endless.Close()
	for n := range 3 * keptFolders {
		if _, err := i.has(fmt.Sprintf("d%d/f%d", n/2, n)); err != nil {
			t.Fatal(err)
		}
	}
	if len(i.folders) > keptFolders {
		t.Errorf("%d folders are kept", len(i.folders))
	}
	var long bytes.Buffer
	w := tar.NewWriter(&long)
	if err := w.WriteHeader(&tar.Header{Name: strings.Repeat("d/", maxName), Typeflag: tar.TypeDir, Mode: 0o755, Format: tar.FormatPAX}); err != nil {
		t.Fatal(err)
	}
	if err := i.copy(t.Context(), io.Discard, &long); problem.KindOf(err) != problem.Invalid {
		t.Error(err)
	}
}
