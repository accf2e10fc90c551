package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// needs is all of a Spec that is fixed when a workspace's first process begins. Its name and labels are for show; what its
// repository's file sets as variables comes with the Setup.
type needs struct {
	image  Image
	user   string
	limits Limits
	// volumes, as JSON, are those that are mounted. Below /workspace none is: the agent makes a folder in its place. Below the
	// home none is either, but where that is only the runtime knows.
	volumes string
	env     string // the image's own, as JSON
}

func needsOf(s Spec) needs {
	mounted, _ := s.Mounted(checkoutsFolder)
	volumes, err := json.Marshal(mounted)
	if err != nil {
		return needs{} // fits nothing: see fits
	}
	env, err := json.Marshal(s.Env)
	if err != nil {
		return needs{}
	}
	return needs{image: s.Image, user: s.User, limits: s.Limits, volumes: string(volumes), env: string(env)}
}

const checkoutsFolder = "/workspace"

// fits reports whether what was made for one need serves another one.
func (n needs) fits(other needs) bool { return n == other && n != needs{} }

// print names it where it is stored.
func (n needs) print() string {
	sum := sha256.Sum256(fmt.Append(nil, n.image.Ref, "\x00", n.image.Path, "\x00", n.user, "\x00", n.limits, "\x00", n.volumes, "\x00", n.env))
	return hex.EncodeToString(sum[:])
}

// unlike says for the owner of a workspace why what was made ahead, n, is not what it needs; it is the end of a sentence.
func (n needs) unlike(wanted needs) string {
	switch {
	case n.older(wanted):
		return fmt.Sprintf("the image %s is another one by now", imageName(wanted.image))
	case n.image != wanted.image:
		return fmt.Sprintf("it runs %s, and %s was made ahead", imageWords(wanted.image), imageWords(n.image))
	case n.user != wanted.user:
		return fmt.Sprintf("it runs as %s, and what was made ahead as %s", userWords(wanted.user), userWords(n.user))
	case n.limits != wanted.limits:
		return "its file needs another class than was made ahead"
	case n.volumes != wanted.volumes:
		return "its file mounts volumes outside /workspace"
	}
	return "what was made ahead differs from what it needs"
}

// older reports whether what was made ahead has the same image, as it was at another time.
func (n needs) older(wanted needs) bool {
	return n.image.Ref != wanted.image.Ref && imageName(n.image) == imageName(wanted.image)
}

// imageName is an image's name without its digest.
func imageName(i Image) string {
	name, _, _ := strings.Cut(i.Ref, "@")
	return name
}

func imageWords(i Image) string {
	switch name := imageName(i); {
	case strings.HasPrefix(name, "sha256:"):
		return "an image that was built for it"
	case name != "":
		return "the image " + name
	case i.Path != "":
		return "the image " + path.Base(i.Path)
	}
	return "the server's own files"
}

func userWords(name string) string {
	if name == "" {
		return "the image's own user"
	}
	return name
}
