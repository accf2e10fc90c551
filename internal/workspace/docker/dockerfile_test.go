package docker

import (
	"archive/tar"
	"bytes"
	"slices"
	"strings"
	"testing"
)

func oneFile(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDockerfileImages(t *testing.T) {
	const text = `# a comment
ARG VERSION=1
ARG BASE="debian:${VERSION:-2}"
FROM --platform=linux/amd64 $BASE AS one
RUN true && \
  # in between
  true
FROM one AS two
COPY --from=one /x /x
COPY --chown=a --from=alpine:3 /y /y
COPY --from=0 /z /z
FROM scratch
FROM ${OTHER:-node:20}
ADD file /file
`
	d, err := parseDockerfile("Dockerfile", []byte(text), map[string]string{"VERSION": "12"})
	if err != nil {
		t.Fatal(err)
	}
	var images []string
	for _, u := range d.uses {
		images = append(images, u.image)
	}
	if want := []string{"debian:12", "alpine:3", "node:20"}; !slices.Equal(images, want) {
		t.Fatalf("%q, want %q", images, want)
	}
	got := string(d.pin([]string{"a@sha256:1", "b@sha256:2", "c@sha256:3"}))
	for _, line := range []string{"FROM --platform=linux/amd64 a@sha256:1 AS one", "COPY --chown=a --from=b@sha256:2 /y /y", "FROM c@sha256:3"} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("lacks %q:\n%s", line, got)
		}
	}
}

// What the engine would fetch by itself, past the gateway, and what engines read in different ways.
func TestDockerfileRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"# escape=`\nFROM a":                              "1: the directive",
		"FROM a\nADD https://example.test/x /x":           "2: ADD takes",
		"FROM a\nadd HTTPS://example.test/x /x":           "2: ADD takes",
		"FROM a\nADD [\"https://example.test/x\", \"/\"]": "2: ADD takes",
		"FROM a\nADD git@example.test:x /x":               "2: ADD takes",
		"FROM a\nENV U=http://x\nADD $U /x":               "3: ADD takes",
		"FROM a\nADD \\\n https://example.test/x /x":      "2: ADD takes",
		"FROM a\nONBUILD ADD https://example.test/x /x":   "2: ADD takes",
		"FROM a\nRUN true \\\nADD https://example.test/x": "3: a line that continues",
		"FROM a\nRUN true \\\n\\\\\nFROM b":               "3: the line ends",
		"FROM a\nRUN true \\\\\nFROM b":                   "2: the line ends",
		"FROM a\nRUN <<EOF\nADD https://x /x\nEOF":        "2: here-documents",
		"FROM a\nRUN --mount=type=secret true":            "2: --mount",
		"FROM a\nCOPY --from=$X /x /x":                    "2: COPY --from",
		"RUN true":                                        "1: there is no FROM",
		"FROM a b":                                        "1: FROM takes",
	} {
		if _, err := parseDockerfile("f", []byte(text), nil); err == nil || !strings.Contains(err.Error(), "f:"+want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
