package docker

import (
	"archive/tar"
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
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
	text := `# a comment
ARG VERSION=1 OTHER_TAG=7
ARG BASE="debian:${VERSION:-2}"
FROM --platform=` + platform() + ` $BASE AS one
RUN true && \
  # in between
  true
FROM \
  One AS two
COPY --from=one /x /x
COPY --chown=a --from=alpine:3 /y /y
copy --from=0 /z /z
FROM scratch
FROM ${OTHER:-node:20}
ADD file /file
CMD ["x"] \`
	d, err := parseDockerfile("Dockerfile", []byte(text), map[string]string{"VERSION": "12"})
	if err != nil {
		t.Fatal(err)
	}
	var images []string
	for _, u := range d.uses {
		images = append(images, u.Image)
	}
	if want := []string{"debian:12", "alpine:3", "node:20"}; !slices.Equal(images, want) {
		t.Fatalf("%q, want %q", images, want)
	}
	const want = `ARG VERSION=1 OTHER_TAG=7
ARG BASE="debian:${VERSION:-2}"
FROM a@sha256:1 AS one
RUN true &&   true
FROM one AS two
COPY --from=0 /x /x
COPY --chown=a --from=b@sha256:2 /y /y
COPY --from=0 /z /z
FROM scratch
FROM c@sha256:3
ADD ["file","/file"]
CMD ["x"]
`
	if got := string(d.pin([]string{"a@sha256:1", "b@sha256:2", "c@sha256:3"})); got != want {
		t.Errorf("%s", got)
	}
}

// What the engine would read as another image, or as an address, than what was judged: it is judged as the engine reads it, and
// written such that there is nothing to read otherwise.
func TestAttack13DockerfileThatReadsInTwoWays(t *testing.T) {
	for text, want := range map[string]string{ // empty: refused
		"FROM a\nADD http\\\n://127.0.0.1/x /m":                         "",
		"FROM a\nADD http:\"//127.0.0.1/x\" /m":                         "",
		"FROM a\nADD [\"http:\\u002f/127.0.0.1/x\", \"/m\"]":            "",
		"FROM a\nADD [\"x\", \"/m\"] http://127.0.0.1/x":                "",
		"FROM a\nCOPY --fr\"om=private\":latest /x /x":                  "",
		"FROM a\nCOPY --from=b --from=private /x /x":                    "",
		"FROM a\nCOPY --fr\\om=private /x /x":                           "",
		"FROM a\nCOPY \xa0--from=private /x /x":                         "",
		"FROM a\nCOPY \v--from=private /x /x":                           "",
		"FROM a\nCOPY --chown=\u00e0--from=private /x /x":               "",
		"FROM a\nRUN true\rCOPY --from=private /x /x":                   "",
		"\ufeff# escape=`\nFROM a\nCMD x \\\nCOPY --from=private /x /x": "",
		"FROM --platform=linux/other a":                                 "",
		"FROM \"a\"":                                                    "",
		"FROM a\nONBUILD ADD http://127.0.0.1/x /x":                     "",
		"FROM a\nCOPY --from=0 /x /x":                                   "",

		"FROM a\nCOPY --from=private\\\n:latest /x /x":             "FROM <a>\nCOPY --from=<private:latest> /x /x\n",
		"FROM scratch AS private\nCOPY --from=private /x /x":       "FROM scratch AS private\nCOPY --from=<private> /x /x\n",
		"ARG A=st\nARG P=1 A=private\nFROM scratch AS st\nFROM $A": "ARG A=st\nARG P=1 A=private\nFROM scratch AS st\nFROM <private>\n",
		"FROM \\\na": "FROM <a>\n",
		"FROM a\nRUN x \\\nCOPY --from=private /x /x":                    "FROM <a>\nRUN x COPY --from=private /x /x\n",
		"\ufeffFROM a\r\nRUN x \\\r\n\r\n# no\r\n y\r\nCOPY a\u00a0b /x": "FROM <a>\nRUN x  y\nCOPY a\u00a0b /x\n",
	} {
		d, err := parseDockerfile("f", []byte(text), nil)
		if err != nil {
			if want != "" || problem.KindOf(err) != problem.Invalid {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		to := make([]string, len(d.uses))
		for i, u := range d.uses {
			to[i] = "<" + u.Image + ">"
		}
		if got := string(d.pin(to)); got != want {
			t.Errorf("%q: the engine builds %q, want %q", text, got, want)
		}
	}
}

// What the engine would fetch by itself, past the gateway, and what cannot be built.
func TestDockerfileRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"# escape=`\nFROM a":                              "1: the directive",
		"FROM a\nADD https://example.test/x /x":           "2: ADD takes",
		"FROM a\nadd HTTPS://example.test/x /x":           "2: ADD takes",
		"FROM a\nADD [\"https://example.test/x\", \"/\"]": "2: ADD takes",
		"FROM a\nADD git@example.test:x /x":               "2: ADD takes",
		"FROM a\nENV U=http://x\nADD $U /x":               "3: ADD takes",
		"FROM a\nADD \\\n https://example.test/x /x":      "2: ADD takes",
		"FROM a\nONBUILD ADD https://example.test/x /x":   "2: ONBUILD",
		"FROM a\nRUN true \\\n\\\\\nFROM b":               "3: the line ends",
		"FROM a\nRUN true \\\\\nFROM b":                   "2: the line ends",
		"FROM a\nRUN <<EOF\nADD https://x /x\nEOF":        "2: here-documents",
		"FROM a\nRUN --mount=type=secret true":            "2: --mount",
		"FROM a\nCOPY --link x /x":                        "2: COPY takes no --link",
		"FROM a\nCOPY --from=$X /x /x":                    "2: COPY --from",
		"FROM a\nEVIL x":                                  "2: the line begins",
		"FROM $NOTHING":                                   "1: FROM names no image",
		"FROM a AS x\nFROM b AS X":                        "2: a stage cannot",
		"RUN true":                                        "1: only ARG",
		"":                                                "1: there is no FROM",
		"FROM a b":                                        "1: FROM takes",
	} {
		if _, err := parseDockerfile("f", []byte(text), nil); err == nil || !strings.Contains(err.Error(), "f:"+want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
