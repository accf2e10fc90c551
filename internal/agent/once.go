package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// once remembers, beside a checkout, what has run that runs once for it. What failed is not remembered: it runs again at
// the next start.
type once struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex
	keys map[string]bool
}

// oncePath is the file beside the checkout of that name.
func oncePath(workspace, name string) string {
	return filepath.Join(workspace, ".lanyard", name+".json")
}

// openOnce reads what has run. A file that cannot be read has nothing in it: what runs once then runs again.
func openOnce(workspace, name string, log *slog.Logger) *once {
	o := &once{path: oncePath(workspace, name), log: log, keys: map[string]bool{}}
	f, err := os.Open(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		return o
	}
	if err == nil {
		defer f.Close()
		var list []string
		err = json.NewDecoder(io.LimitReader(f, maxSetup)).Decode(&list)
		for _, key := range list {
			o.keys[key] = true
		}
	}
	logWarn(log, "what has run once is not known", err)
	return o
}

// forget is for a checkout that is new.
func forgetOnce(workspace, name string) error {
	if err := os.Remove(oncePath(workspace, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("what has run for an earlier checkout: %w", err)
	}
	return nil
}

func (o *once) has(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.keys[key]
}

func (o *once) mark(keys ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, key := range keys {
		o.keys[key] = true
	}
	logWarn(o.log, "what has run once could not be noted: it runs again at the next start", o.write())
}

func (o *once) write() error {
	list := make([]string, 0, len(o.keys))
	for key := range o.keys {
		list = append(list, key)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.path), 0o755); err != nil {
		return err
	}
	fresh := o.path + ".new"
	if err := os.WriteFile(fresh, text, 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, o.path)
}

// keyOf names what runs by what it does: one that was changed runs again.
func keyOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func initKey(t agentapi.Task) string { return keyOf("init", t.ID, t.Init) }

func stepKey(s agentapi.Step) string {
	text, _ := json.Marshal(s) // strings and lists of them
	return keyOf("step", string(text))
}
