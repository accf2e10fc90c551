package laptop

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Install sees to it that Git finds its helper, which is this program under another name: it makes a link in a folder of PATH,
// beside the program or in the person's own. It returns the link if it made one.
func Install(program, home string) (made string, err error) {
	name := HelperName
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if _, err := exec.LookPath(name); err == nil {
		return "", nil
	}
	searched := filepath.SplitList(os.Getenv("PATH"))
	for _, dir := range []string{filepath.Dir(program), filepath.Join(home, ".local", "bin"), filepath.Join(home, "bin")} {
		if !filepath.IsAbs(dir) || !slices.Contains(searched, dir) {
			continue
		}
		link := filepath.Join(dir, name)
		if err = errors.Join(os.MkdirAll(dir, 0o755), linkTo(program, link)); err == nil {
			return link, nil
		}
	}
	return "", problem.Wrap(err, problem.Invalid,
		"Git looks for a program %s in PATH, which is lanyard under another name, and there is no folder here to put it in. Make the link yourself:\n"+
			"ln -s %s /usr/local/bin/%s", name, program, name)
}

func linkTo(program, link string) error {
	if runtime.GOOS == "windows" { // where symbolic links take a privilege
		return os.Link(program, link)
	}
	return os.Symlink(program, link)
}
