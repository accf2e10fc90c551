package gitserver

import (
	"os"
	"path/filepath"
)

// hook writes a line for each ref that a push moved, after it moved.
const hook = `#!/bin/sh
while read -r old new ref; do
	printf '%s push %s %s %s..%s by %s <%s>\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
		"$SAMPLE_REPOSITORY" "$ref" "$old" "$new" "$SAMPLE_CALLER_NAME" "$SAMPLE_CALLER_ID" >>"$SAMPLE_LOG"
done
`

func writeHook(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// Renamed into place: a push that runs meanwhile never executes half a file.
	partial := filepath.Join(dir, ".post-receive")
	if err := os.WriteFile(partial, []byte(hook), 0o700); err != nil {
		return err
	}
	return os.Rename(partial, filepath.Join(dir, "post-receive"))
}
