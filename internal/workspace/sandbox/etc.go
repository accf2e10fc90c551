package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// The workspace's user, inside. Outside it is another number.
const (
	insideUID = 1000
	userName  = "lanyard"
)

// etcFiles are the files of /etc that are ours.
var etcFiles = map[string]string{
	"passwd": `root:x:0:0:root:/root:/usr/sbin/nologin
lanyard:x:1000:1000:Lanyard workspace:/home/lanyard:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`,
	"group": `root:x:0:
tty:x:5:
lanyard:x:1000:
nogroup:x:65534:
`,
	"hosts": `127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
`,
	"nsswitch.conf": `passwd: files
group: files
shadow: files
hosts: files
networks: files
protocols: files
services: files
`,
	"resolv.conf": "# A workspace has no network of its own.\n",
	"shells":      "/bin/sh\n/bin/bash\n",
	"gitconfig": `[safe]
	directory = /workspace/*
	bareRepository = explicit
[init]
	defaultBranch = main
[include]
	path = /home/lanyard/.config/lanyard/gitconfig
`,
	"profile": `if [ -n "$BASH_VERSION" ] && [ -r /etc/bash.bashrc ]; then . /etc/bash.bashrc; fi
`,
	"bash.bashrc": `case $- in *i*) ;; *) return ;; esac
shopt -s checkwinsize histappend
PS1='\[\e[1;32m\]\h\[\e[0m\]:\[\e[1;34m\]\w\[\e[0m\]\$ '
alias ls='ls --color=auto'
alias grep='grep --color=auto'
if [ -r /usr/share/bash-completion/bash_completion ]; then . /usr/share/bash-completion/bash_completion; fi
`,
}

// etcCopied are files and folders of this machine's /etc that programs need and that hold no secret; what only some
// users may read is left out all the same. Patterns are filepath.Match's.
var etcCopied = []string{
	"alternatives",
	"bash_completion.d",
	"ca-certificates",
	"crypto-policies",
	"debian_version",
	"fonts",
	"inputrc",
	"java-*",
	"ld.so.cache",
	"ld.so.conf",
	"ld.so.conf.d",
	"localtime",
	"lsb-release",
	"magic",
	"mime.types",
	"os-release",
	"perl",
	"pki/ca-trust",
	"pki/tls/cert.pem",
	"pki/tls/certs",
	"protocols",
	"python3*",
	"services",
	"ssl/cert.pem",
	"ssl/certs",
	"ssl/openssl.cnf",
	"terminfo",
	"timezone",
	"vim",
}

// makeEtc generates /etc and returns its folder, which is named by its content.
func (r *Runtime) makeEtc() (string, error) {
	parent := filepath.Join(r.root, "etc")
	fresh, err := os.MkdirTemp(parent, ".new-")
	if err != nil {
		return "", fmt.Errorf("sandbox: make /etc: %w", err)
	}
	defer os.RemoveAll(fresh)
	if err := os.Chmod(fresh, 0o755); err != nil {
		return "", fmt.Errorf("sandbox: make /etc: %w", err)
	}
	c := copier{digest: sha256.New()}
	for _, pattern := range etcCopied {
		matches, err := filepath.Glob(filepath.Join("/etc", pattern))
		if err != nil {
			return "", fmt.Errorf("sandbox: make /etc: %w", err)
		}
		for _, from := range matches {
			rel, err := filepath.Rel("/etc", from)
			if err != nil {
				return "", fmt.Errorf("sandbox: make /etc: %w", err)
			}
			if err := c.copyTree(from, filepath.Join(fresh, rel)); err != nil {
				return "", fmt.Errorf("sandbox: make /etc: %w", err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(etcFiles)) {
		content := etcFiles[name]
		fmt.Fprintf(c.digest, "%s %d %s", name, len(content), content)
		if err := os.WriteFile(filepath.Join(fresh, name), []byte(content), 0o644); err != nil {
			return "", fmt.Errorf("sandbox: make /etc: %w", err)
		}
	}
	final := filepath.Join(parent, hex.EncodeToString(c.digest.Sum(nil))[:16])
	if err := os.Rename(fresh, final); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("sandbox: make /etc: %w", err)
	}
	return final, nil
}

// copier copies files that everybody may read, and hashes names, links and contents.
type copier struct {
	digest hash.Hash
}

func (c *copier) copyTree(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch mode := info.Mode(); {
		case mode&fs.ModeSymlink != 0:
			return c.copyLink(path, target)
		case mode.IsDir():
			if mode.Perm()&0o005 != 0o005 {
				return fs.SkipDir
			}
			fmt.Fprintf(c.digest, "d %s\n", target[len(to):])
			return os.MkdirAll(target, 0o755)
		case mode.IsRegular() && mode.Perm()&0o004 != 0:
			return c.copyFile(path, target)
		}
		return nil
	})
}

// copyLink copies a link as a link when it leads below /etc or /usr, which are there inside.
func (c *copier) copyLink(from, to string) error {
	link, err := os.Readlink(from)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.digest, "l %s %s\n", from, link)
	return os.Symlink(link, to)
}

func (c *copier) copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.digest, "f %s\n", from)
	_, err = io.Copy(io.MultiWriter(out, c.digest), in)
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}
