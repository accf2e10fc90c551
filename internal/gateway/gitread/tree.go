package gitread

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
)

// Mode is what an entry of a tree is (gitformat-tree).
type Mode string

// The modes that Git writes.
const (
	File       Mode = "100644"
	Executable Mode = "100755"
	Link       Mode = "120000"
	Folder     Mode = "40000"
	Submodule  Mode = "160000"
)

// Entry is a name in a folder of a commit.
type Entry struct {
	Name string
	Mode Mode
	ID   string // of the object
}

var errTree = errors.New("a folder of the commit is not written as Git writes them")

// parseTree reads a tree. Names that would lead elsewhere are refused, as git itself refuses them at checkout.
func parseTree(data []byte, size int) ([]Entry, error) {
	var all []Entry
	for len(data) > 0 {
		head, rest, ok := bytes.Cut(data, []byte{0})
		mode, name, ok2 := strings.Cut(string(head), " ")
		if !ok || !ok2 || len(rest) < size {
			return nil, errTree
		}
		if name == "" || name == "." || name == ".." || strings.EqualFold(name, ".git") || strings.ContainsAny(name, "/\\\x00") {
			return nil, errTree
		}
		if mode == "100664" { // old repositories have it
			mode = string(File)
		}
		switch Mode(mode) {
		case File, Executable, Link, Folder, Submodule:
		default:
			return nil, errTree
		}
		all = append(all, Entry{Name: name, Mode: Mode(mode), ID: hex.EncodeToString(rest[:size])})
		data = rest[size:]
	}
	return all, nil
}

// treeOf reads which tree a commit has.
func treeOf(commit []byte) (string, error) {
	line, _, _ := strings.Cut(string(commit), "\n")
	id, ok := strings.CutPrefix(line, "tree ")
	if !ok || !isID(id) {
		return "", errors.New("the commit is not written as Git writes them")
	}
	return id, nil
}

// taggedBy reads what a tag object names.
func taggedBy(tag []byte) (string, error) {
	line, _, _ := strings.Cut(string(tag), "\n")
	id, ok := strings.CutPrefix(line, "object ")
	if !ok || !isID(id) {
		return "", errors.New("the tag is not written as Git writes them")
	}
	return id, nil
}

func isID(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
