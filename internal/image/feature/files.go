package feature

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Bounds of one feature. Those in use are scripts of some kilobytes.
const (
	maxArchive = 32 << 20 // bytes of its files
	maxFiles   = 2000
	maxAll     = 60 // features of one workspace, those that others need among them
)

// file is one of a feature's.
type file struct {
	name string
	mode int64
	data []byte
}

// readFiles reads a feature's tar, compressed or not. What is neither a file nor a folder, and what lies elsewhere, is
// refused: none of it is of use to an install.sh that is copied into an image.
func readFiles(from io.Reader) ([]file, error) {
	b := bufio.NewReader(from)
	var in io.Reader = b
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		in = z
	}
	in = io.LimitReader(in, 2*maxArchive) // headers too
	t := tar.NewReader(in)
	var files []file
	var sum int64
	seen := map[string]bool{}
	for entries := 0; ; entries++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("its archive cannot be read: %w", err)
		}
		if entries > maxFiles {
			return nil, fmt.Errorf("its archive holds more than %d files", maxFiles)
		}
		name := path.Clean(strings.TrimPrefix(h.Name, "./"))
		switch {
		case h.Typeflag == tar.TypeXGlobalHeader || h.Typeflag == tar.TypeDir:
			continue
		case h.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("its archive holds %q, which is no plain file", h.Name)
		case path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\x00\\") || name == "." || seen[name]:
			return nil, fmt.Errorf("its archive holds %q, which is no path in it, or twice", h.Name)
		}
		if sum += h.Size; h.Size < 0 || sum > maxArchive {
			return nil, fmt.Errorf("its files are larger than %d bytes", maxArchive)
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, fmt.Errorf("its archive ends early: %w", err)
		}
		seen[name] = true
		files = append(files, file{name: name, mode: h.Mode & 0o777, data: data})
	}
}

func find(files []file, name string) ([]byte, bool) {
	for _, f := range files {
		if f.name == name {
			return f.data, true
		}
	}
	return nil, false
}
