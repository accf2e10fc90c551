package image

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// User is a user of an image.
type User struct {
	Name     string // empty where the image knows no name for the number
	UID, GID int
	Home     string // absolute and clean; empty: none
	Shell    string
}

// maxPasswd bounds what is read of an image's /etc/passwd, in bytes.
const maxPasswd = 1 << 20

// FindUser looks a user up in an unpacked image as a container's engine does: "name", "number", either with ":group", which
// is left aside; empty is root.
func FindUser(root, who string) (User, error) {
	who, _, _ = strings.Cut(who, ":")
	if who == "" {
		who = "root"
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return User{}, fmt.Errorf("image: %w", err)
	}
	defer r.Close()
	number, notNumber := strconv.Atoi(who)
	for _, u := range users(r) {
		if u.Name == who || notNumber == nil && u.UID == number {
			return u, nil
		}
	}
	switch {
	case who == "root":
		return User{Name: "root", Home: "/root", Shell: "/bin/sh"}, nil
	case notNumber != nil:
		return User{}, problem.New(problem.Invalid, "The image has no user %.60q; name one of its /etc/passwd, or a number.", who)
	case number < 0 || number >= 1<<31:
		return User{}, problem.New(problem.Invalid, "%s is no number of a user.", who)
	}
	return User{UID: number, GID: number}, nil
}

// users are those of an image; one without a list of them has root alone.
func users(r *os.Root) []User {
	f, err := r.Open("etc/passwd")
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	var all []User
	lines := bufio.NewScanner(io.LimitReader(f, maxPasswd))
	for lines.Scan() {
		if u, ok := parsePasswd(lines.Text()); ok {
			all = append(all, u)
		}
	}
	return all
}

func userNames(root string) []string {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil
	}
	defer r.Close()
	var names []string
	for _, u := range users(r) {
		names = append(names, u.Name)
	}
	return names
}

// parsePasswd reads a line of passwd(5).
func parsePasswd(line string) (User, bool) {
	f := strings.Split(line, ":")
	if len(f) < 7 || f[0] == "" {
		return User{}, false
	}
	uid, err := strconv.ParseUint(f[2], 10, 31)
	if err != nil {
		return User{}, false
	}
	gid, err := strconv.ParseUint(f[3], 10, 31)
	if err != nil {
		return User{}, false
	}
	u := User{Name: f[0], UID: int(uid), GID: int(gid), Shell: f[6]}
	if home := path.Clean(f[5]); path.IsAbs(home) && home != "/" {
		u.Home = home
	}
	return u, true
}
