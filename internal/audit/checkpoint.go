package audit

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint commits to the log's first Size events (C2SP tlog-checkpoint, without extension lines).
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// sign makes the signed note.
func (c Checkpoint) sign(signer note.Signer) ([]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
	return note.Sign(&note.Note{Text: text}, signer)
}

// parseCheckpoint reads a note's text, not its signature.
func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 {
		return c, fmt.Errorf("a checkpoint has at least three lines")
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 || strconv.FormatInt(c.Size, 10) != lines[1] {
		return c, fmt.Errorf("a checkpoint's second line is not a size")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return c, fmt.Errorf("a checkpoint's third line is not a hash")
	}
	copy(c.Root[:], root)
	return c, nil
}

// openCheckpoint reads a signed note: signature, origin and content.
func openCheckpoint(signed []byte, key note.Verifier) (Checkpoint, error) {
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := parseCheckpoint(n.Text)
	if err == nil && c.Origin != key.Name() {
		err = fmt.Errorf("it is of another log, %q", c.Origin)
	}
	return c, err
}

// splitCheckpoints finds the notes in a file to which checkpoints were appended. A note begins at a line that is the
// origin and is whole when an empty line follows its signatures; an interrupted write leaves one that is not.
func splitCheckpoints(file []byte, origin string) (notes []copiedNote) {
	var now strings.Builder
	begun := false
	end := func() {
		if text := now.String(); begun {
			notes = append(notes, copiedNote{[]byte(strings.TrimRight(text, "\n") + "\n"), strings.HasSuffix(text, "\n\n")})
		}
		now.Reset()
	}
	for line := range strings.Lines(string(file)) {
		if strings.TrimSuffix(line, "\n") == origin {
			end()
			begun = true
		}
		if begun {
			now.WriteString(line)
		}
	}
	end()
	return notes
}

type copiedNote struct {
	note  []byte
	whole bool
}
