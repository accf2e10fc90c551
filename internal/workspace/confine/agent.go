package confine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// AgentName is the agent's file name, also in the workspace.
const AgentName = "lanyard-agent"

// Agent copies the agent's binary below dir, into a folder that is named by its content, which it returns: a workspace that runs
// keeps what it began with when the server is upgraded. The copy may be run but not read: the kernel makes a process undumpable
// from its first instruction then. Beside it are the commands of a workspace (agentapi.CommandFolder).
func Agent(dir, path string) (string, error) {
	from, err := os.Open(path)
	if err != nil {
		return "", problem.Wrap(err, problem.Unavailable, "The workspace agent %s cannot be read; it belongs beside the lanyard binary (make build makes both).", path)
	}
	defer from.Close()
	to, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return "", fmt.Errorf("copy the agent: %w", err)
	}
	defer os.Remove(to.Name())
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, hash), from)
	if e := to.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(to.Name(), 0o111)
	}
	if err != nil {
		return "", fmt.Errorf("copy the agent: %w", err)
	}
	final := filepath.Join(dir, hex.EncodeToString(hash.Sum(nil))[:16])
	if err := makeFolder(final); err != nil {
		return "", fmt.Errorf("copy the agent: %w", err)
	}
	// Renamed over what is there: whoever runs the same bytes already keeps its own.
	if err := os.Rename(to.Name(), filepath.Join(final, AgentName)); err != nil {
		return "", fmt.Errorf("copy the agent: %w", err)
	}
	bin := filepath.Join(final, "bin")
	if err := makeFolder(bin); err != nil {
		return "", fmt.Errorf("link the commands: %w", err)
	}
	for _, name := range []string{"lanyard", "gp"} { // the agent's binary under their names
		if err := os.Symlink("../"+AgentName, filepath.Join(bin, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("link the commands: %w", err)
		}
	}
	return final, nil
}

// makeFolder makes a folder that everybody may look into, whatever the umask.
func makeFolder(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(path, 0o755)
}
