package image

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// maxLinks bounds a chain of links, as the kernel does (path_resolution(7)).
const maxLinks = 40

var errLinks = errors.New("too many links lead from one to the next")

// parent is the folder dir of the image as a path without links, made where it is missing. Links lead where they would lead
// in the running image: an absolute one from the image's root, and none above it.
func (u *unpacker) parent(dir string) (string, error) {
	at, err := u.resolve(dir)
	if err != nil {
		return "", err
	}
	info, err := u.root.Lstat(at)
	if err == nil && info.IsDir() {
		return at, nil
	}
	if err == nil { // a file, which this layer replaces by a folder
		if err := u.root.Remove(at); err != nil {
			return "", err
		}
	}
	if at, err = u.makeAll(at); err != nil {
		return "", err
	}
	return at, nil
}

// makeAll makes a folder and those above it; a file in the way is replaced.
func (u *unpacker) makeAll(at string) (string, error) {
	now := "."
	for part := range strings.SplitSeq(at, "/") {
		now = path.Join(now, part)
		info, err := u.root.Lstat(now)
		if err == nil && info.IsDir() {
			continue
		}
		if err == nil {
			if err := u.root.Remove(now); err != nil {
				return "", err
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		u.note(now)
		if err := u.root.Mkdir(now, 0o755); err != nil {
			return "", err
		}
	}
	return at, nil
}

// resolve follows the links in a path; what is not there is taken as it is written.
func (u *unpacker) resolve(p string) (string, error) {
	todo := strings.Split(path.Clean("/"+p), "/")
	at, links := ".", 0
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := u.root.Lstat(next)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", errLinks
		}
		to, err := u.root.Readlink(next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(to) {
			at = "."
		}
		todo = append(strings.Split(to, "/"), todo...)
	}
	return at, nil
}
