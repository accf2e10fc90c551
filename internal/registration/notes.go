package registration

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// notes are what was made, and what may have been, while not all is done.
type notes struct {
	Tenant string `json:"tenant"`
	URL    string `json:"url"` // of the Lanyard that it is for
	// Mark is random. What is made bears it, and nobody else can have made what bears it before it was made.
	Mark string          `json:"mark"`
	Made map[string]made `json:"made"`
}

// made is an object that this or an earlier run made. Without an ID it is not known whether it was, unless the tenant
// said that there is one.
type made struct {
	Begun  time.Time `json:"begun"`
	ID     string    `json:"id,omitempty"`
	Exists bool      `json:"exists,omitempty"`
}

// open reads the notes of an earlier run, unless they are of another tenant or another Lanyard.
func (s *Setup) open(tenant string) error {
	s.notes = notes{Tenant: tenant, URL: s.wanted.URL, Mark: rand.Text(), Made: map[string]made{}}
	if s.file == "" {
		return nil
	}
	text, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what an earlier run left: %w", err)
	}
	var n notes
	if err := json.Unmarshal(text, &n); err != nil {
		return fmt.Errorf("read what an earlier run left in %s; remove the file if it is of no use: %w", s.file, err)
	}
	if n.Tenant == tenant && n.URL == s.wanted.URL && n.Made != nil {
		n.Mark = cmp.Or(n.Mark, s.notes.Mark)
		s.notes = n
	}
	return nil
}

// note remembers an object, and keeps it in the file.
func (s *Setup) note(what string, m made) error {
	s.notes.Made[what] = m
	return s.save()
}

func (s *Setup) forget(what string) error {
	delete(s.notes.Made, what)
	return s.save()
}

func (s *Setup) save() error {
	if s.file == "" {
		return nil
	}
	text, err := json.MarshalIndent(s.notes, "", "  ")
	if err == nil {
		err = replaceFile(s.file, s.beside(), append(text, '\n'), 0o600, nil)
	}
	if err != nil {
		return fmt.Errorf("note what was made: %w", err)
	}
	return nil
}

// beside is how the names of files begin that are to become the notes.
func (s *Setup) beside() string { return "." + filepath.Base(s.file) + ".new-" }

// Finish forgets the notes: all is done, and what follows from it is written elsewhere.
func (s *Setup) Finish() error {
	if s.file == "" {
		return nil
	}
	if err := os.Remove(s.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the notes: %w", err)
	}
	left, err := os.ReadDir(filepath.Dir(s.file))
	for _, f := range left { // of runs that were killed
		if strings.HasPrefix(f.Name(), s.beside()) {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(s.file), f.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("remove what notes were left: %w", err)
	}
	return nil
}

// young says that something was made so short a time ago that the tenant may not know it everywhere.
func (s *Setup) young() bool {
	for _, m := range s.notes.Made {
		if s.now().Sub(m.Begun) < s.patience {
			return true
		}
	}
	return false
}
