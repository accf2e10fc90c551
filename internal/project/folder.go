package project

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
)

// settled is how old a file's time stamp must be before an unchanged one proves an unchanged file: file systems
// stamp in steps, and a second write within one leaves no trace.
const settled = 2 * time.Second

// folder is one folder of files that people write.
type folder struct {
	path   string
	suffix []string
	only   string // the one file that is meant; empty: all with one of the suffixes
	seen   string // what the folder looked like when it was last read
	readAt time.Time
	newest time.Time
}

// changed reports whether the folder may hold something else than when it was last read.
func (f *folder) changed() (bool, error) {
	look, newest, err := f.look()
	if err != nil {
		return false, err
	}
	return look != f.seen || newest != f.newest || f.readAt.Sub(newest) < settled, nil
}

// look describes the folder's files by name, size and time.
func (f *folder) look() (description string, newest time.Time, err error) {
	var b strings.Builder
	err = f.each(func(name string, info fs.FileInfo) error {
		fmt.Fprintf(&b, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return nil
	})
	return b.String(), newest, err
}

// read returns the files' texts by path.
func (f *folder) read(now time.Time) (map[string]string, error) {
	files := map[string]string{}
	if f.path == "" {
		return files, nil
	}
	look, newest, err := f.look()
	if err != nil {
		return nil, err
	}
	err = f.each(func(name string, _ fs.FileInfo) error {
		text, err := readFile(name)
		files[name] = text
		return err
	})
	if err != nil {
		return nil, err
	}
	f.seen, f.newest, f.readAt = look, newest, now
	return files, nil
}

// readFile reads a file, up to a little more than the parsers accept, so that they can say that it is too long.
func readFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, source.MaxSize+1))
	return string(text), err
}

// each visits the folder's files in the order of their names. Hidden files, editors' copies and subfolders are not
// among them.
func (f *folder) each(visit func(name string, info fs.FileInfo) error) error {
	if f.path == "" {
		return nil
	}
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		wanted := e.Name() == f.only
		if f.only == "" {
			wanted = !strings.HasPrefix(e.Name(), ".") && slices.Contains(f.suffix, filepath.Ext(e.Name()))
		}
		if !wanted {
			continue
		}
		name := filepath.Join(f.path, e.Name())
		info, err := os.Stat(name) // follows links, which is how mounted configuration changes
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		if err := visit(name, info); err != nil {
			return err
		}
	}
	return nil
}
