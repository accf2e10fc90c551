package agent

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Person is the user that a workspace's processes run as.
type Person struct{ Name, Home, Shell string }

// The user of a workspace whose files name none: as the sandbox has it.
const (
	defaultName  = "lanyard"
	defaultHome  = "/home/" + defaultName
	defaultShell = "/bin/bash"
)

// Whoami finds the user of this process in a file like /etc/passwd (passwd(5)). What that does not say is as in the
// sandbox. home is where the runtime put the home folder, which counts more than the file; empty: it does not say.
func Whoami(passwd io.Reader, uid int, home string) Person {
	who := Person{Name: defaultName, Shell: defaultShell}
	lines := bufio.NewScanner(passwd)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) != 7 || fields[2] != strconv.Itoa(uid) {
			continue
		}
		who.Name = fields[0]
		if folder := fields[5]; filepath.IsAbs(folder) && folder != "/" && folder != "/nonexistent" {
			who.Home = folder
		}
		if shell := fields[6]; usableShell(shell) {
			who.Shell = shell
		}
		break
	}
	if filepath.IsAbs(home) && home != "/" {
		who.Home = home
	}
	if who.Home == "" {
		who.Home = defaultHome
	}
	if !usableShell(who.Shell) {
		who.Shell = "/bin/sh" // an image without bash
	}
	return who
}

// usableShell reports whether somebody can work in a shell: those that turn people away have a place in passwd(5) too.
func usableShell(path string) bool {
	switch filepath.Base(path) {
	case "nologin", "false", "true", "sync":
		return false
	}
	info, err := os.Stat(path)
	return filepath.IsAbs(path) && err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
