package inside

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// setProfile sets one key of a profile in AWS's configuration and leaves the rest as it is:
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
func setProfile(path, profile, key, value string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	heading := "[profile " + profile + "]"
	if profile == "default" {
		heading = "[default]"
	}
	var out []string
	inside, done := false, false
	for line := range strings.Lines(string(old)) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "[") {
			inside = strings.Join(strings.Fields(trimmed), " ") == heading
			out = append(out, line)
			if inside && !done {
				out, done = append(out, key+" = "+value), true
			}
			continue
		}
		if name, _, ok := strings.Cut(trimmed, "="); inside && ok && strings.TrimSpace(name) == key {
			continue // replaced above
		}
		out = append(out, line)
	}
	if !done {
		if len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, "")
		}
		out = append(out, heading, key+" = "+value)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replaceFile(path, strings.Join(out, "\n")+"\n")
}

// replaceFile writes a file of the person's alone, whole or not at all.
func replaceFile(path, text string) error {
	fresh, err := os.CreateTemp(filepath.Dir(path), ".new-") // mode 0600
	if err != nil {
		return err
	}
	_, err = fresh.WriteString(text)
	if e := fresh.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		_ = os.Remove(fresh.Name()) // the first error says it
	}
	return err
}
