package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name])), Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What a build sees, as docs.docker.com/build/concepts/context/#dockerignore-files says it.
func TestDockerignore(t *testing.T) {
	base := map[string]string{
		"Dockerfile": "FROM scratch\n", "box/Dockerfile": "FROM scratch\n", "README.md": "", "docs/": "", "docs/a.md": "", "docs/keep.md": "", "node_modules/": "", "node_modules/x/y.js": "",
		"src/main.go": "", "src/a.tmp": "", "src/deep/b.tmp": "", "temp1": "", "temps/c": "",
	}
	all := slices.Sorted(maps.Keys(base))
	for name, c := range map[string]struct {
		dockerfile string
		ignore     map[string]string
		without    []string
	}{
		"nothing":              {"Dockerfile", nil, nil},
		"comments":             {"Dockerfile", map[string]string{".dockerignore": "\ufeff# all\n\n  \n"}, nil},
		"a folder":             {"Dockerfile", map[string]string{".dockerignore": "/node_modules/\n"}, []string{"node_modules/", "node_modules/x/y.js"}},
		"one level and every":  {"Dockerfile", map[string]string{".dockerignore": "*/*.tmp\ntemp?\n"}, []string{"src/a.tmp", "temp1", "temps/c"}},
		"any depth":            {"Dockerfile", map[string]string{".dockerignore": "**/*.tmp\n"}, []string{"src/a.tmp", "src/deep/b.tmp"}},
		"taken in again":       {"Dockerfile", map[string]string{".dockerignore": "docs\n*.md\n!docs/keep.md\n"}, []string{"README.md", "docs/", "docs/a.md"}},
		"the last line counts": {"Dockerfile", map[string]string{".dockerignore": "!README.md\n*.md\n"}, []string{"README.md"}},
		"all but one":          {"Dockerfile", map[string]string{".dockerignore": "*\n!src/main.go\n"}, slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "src/main.go" })},
		"the Dockerfile's own": {"box/Dockerfile", map[string]string{".dockerignore": "*\n", "box/Dockerfile.dockerignore": "temp1\n"}, []string{"temp1"}},
		"not another's own":    {"Dockerfile", map[string]string{".dockerignore": "temp1\n", "box/Dockerfile.dockerignore": "*\n"}, []string{"temp1"}},
	} {
		files := maps.Clone(base)
		maps.Copy(files, c.ignore)
		order := workspace.BuildOrder{Dockerfile: c.dockerfile, Context: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(tarOf(t, files))), nil
		}}
		_, not, err := readBuild(t.Context(), order)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		stream, err := contextWith(t.Context(), order, not, "ours", []byte("FROM scratch\n"))
		if err != nil {
			t.Fatal(err)
		}
		want := append([]string{"ours"}, slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(c.without, s) })...)
		var got []string
		for r := tar.NewReader(stream); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !strings.HasSuffix(h.Name, ignoreName) {
				got = append(got, h.Name)
			}
		}
		if err := stream.Close(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v\n got %v\nwant %v", name, err, got, want)
		}
	}
}

func TestDockerignoreRefuses(t *testing.T) {
	var many strings.Builder
	for i := range maxPatterns + 1 {
		fmt.Fprintf(&many, "file%d\n", i)
	}
	for text, want := range map[string]string{"[a\n": ".dockerignore cannot be read", many.String(): "it has 501 patterns and may have 500", strings.Repeat("#", maxDockerfile+1): ".dockerignore has 1048577 bytes"} {
		order := workspace.BuildOrder{Dockerfile: "Dockerfile", Context: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(tarOf(t, map[string]string{"Dockerfile": "FROM scratch\n", ".dockerignore": text}))), nil
		}}
		if _, _, err := readBuild(t.Context(), order); problem.KindOf(err) != problem.Invalid || !strings.Contains(problem.Message(err), want) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	// Who stops reading leaves nothing behind.
	not, err := readIgnored("Dockerfile", map[string][]byte{".dockerignore": []byte("x\n")})
	if err != nil {
		t.Fatal(err)
	}
	if err := not.without(t.Context(), io.NopCloser(bytes.NewReader(tarOf(t, map[string]string{"a": strings.Repeat("a", 1<<20)})))).Close(); err != nil {
		t.Error(err)
	}
}
