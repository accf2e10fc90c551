package agent

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// serveFold answers with a folded checkout.
func (a *Agent) serveFold(w http.ResponseWriter, r *http.Request) {
	var o agentapi.FoldOrder
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSetup)).Decode(&o); err != nil {
		http.Error(w, "not an order: "+err.Error(), http.StatusBadRequest)
		return
	}
	dir, err := a.checkoutFolder(o.Name)
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	a.children.endAll(lastGrace) // so that nothing changes any more
	w.Header().Set("Content-Type", "application/x-tar")
	archive := tar.NewWriter(w)
	err = foldOnce(archive, oncePath(a.config.Workspace, o.Name))
	if err == nil {
		err = foldTree(archive, dir)
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		a.log.Warn("folding the checkout failed", "err", err)
		panic(http.ErrAbortHandler) // a part must not be taken for the whole
	}
}

func foldOnce(archive *tar.Writer, from string) error {
	text, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: agentapi.FoldedOnce, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text)), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = archive.Write(text)
	return err
}

// foldTree writes a folder; pipes, sockets and devices are left out.
func foldTree(archive *tar.Writer, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return foldEntry(archive, root, name, d)
	})
}

func foldEntry(archive *tar.Writer, root *os.Root, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: path.Join(agentapi.FoldedFiles, name), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX}
	switch {
	case info.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case info.Mode().Type() == fs.ModeSymlink:
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = root.Readlink(name); err != nil {
			return err
		}
	case info.Mode().IsRegular():
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
	default:
		return nil
	}
	if h.Typeflag != tar.TypeReg {
		return archive.WriteHeader(h)
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.CopyN(archive, f, h.Size)
	return err
}

// serveUnfold makes a checkout of a folded one, whole or not at all.
func (a *Agent) serveUnfold(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if !agentapi.ValidName(name) {
		refuse(w, http.StatusBadRequest, "that cannot name a folder of the workspace")
		return
	}
	if err := a.unfold(r.Context(), name, r.Body); err != nil {
		a.log.Warn("unfolding a checkout failed", "err", err)
		refuse(w, http.StatusInternalServerError, "The checkout could not be taken: "+err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// newlyUnfolded is, beside the checkout, the file that says that it is still to follow its repository.
func newlyUnfolded(workspace, name string) string {
	return filepath.Join(workspace, ".lanyard", name+".unfolded")
}

func (a *Agent) unfold(ctx context.Context, name string, folded io.Reader) error {
	a.setups.Lock()
	defer a.setups.Unlock()
	dir := filepath.Join(a.config.Workspace, name)
	if there, err := exists(dir); err != nil || there {
		_, _ = io.Copy(io.Discard, folded) // so that the sender can read the answer
		return err
	}
	fresh := filepath.Join(a.config.Workspace, "."+name+".copying")
	if err := removeAll(fresh); err != nil {
		return fmt.Errorf("the rest of an earlier copy: %w", err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return err
	}
	once, err := unfoldTree(fresh, folded)
	if err == nil {
		err = a.ownGit(ctx, fresh)
	}
	if err == nil {
		err = a.keepUnfolded(name, once)
	}
	if err == nil {
		err = os.Rename(fresh, dir)
	}
	if err != nil {
		_ = removeAll(fresh) // a next attempt tries again
	}
	return err
}

// keepUnfolded writes what has run for the checkout that is about to be there, and that it is new.
func (a *Agent) keepUnfolded(name string, once []byte) error {
	if err := os.MkdirAll(filepath.Join(a.config.Workspace, ".lanyard"), 0o755); err != nil {
		return err
	}
	if err := forgetOnce(a.config.Workspace, name); err != nil {
		return err
	}
	if len(once) > 0 {
		if err := os.WriteFile(oncePath(a.config.Workspace, name), once, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(newlyUnfolded(a.config.Workspace, name), nil, 0o644)
}

// unfoldTree makes the files below dir and returns what has run once for them. Nothing of it leaves dir, whatever it names.
func unfoldTree(dir string, folded io.Reader) (once []byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	archive := tar.NewReader(folded)
	var folders []*tar.Header // which may not be writable when all is done
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if h.Name == agentapi.FoldedOnce {
			if once, err = io.ReadAll(io.LimitReader(archive, maxSetup)); err != nil {
				return nil, err
			}
			continue
		}
		name, ours := strings.CutPrefix(path.Clean(h.Name), agentapi.FoldedFiles)
		h.Name = strings.TrimPrefix(name, "/")
		if !ours || h.Name != "" && !filepath.IsLocal(h.Name) {
			return nil, fmt.Errorf("it names %q", h.Name)
		}
		if h.Typeflag == tar.TypeDir {
			folders = append(folders, h)
		}
		if err := unfoldEntry(root, h, archive); err != nil {
			return nil, err
		}
	}
	for i := len(folders) - 1; i >= 0; i-- { // what is below first
		h := folders[i]
		if h.Name == "" {
			h.Name = "."
		}
		if err := root.Chmod(h.Name, fs.FileMode(h.Mode).Perm()); err != nil {
			return nil, err
		}
		if err := root.Chtimes(h.Name, h.ModTime, h.ModTime); err != nil {
			return nil, err
		}
	}
	return once, nil
}

func unfoldEntry(root *os.Root, h *tar.Header, from io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		if h.Name == "" {
			return nil
		}
		return root.Mkdir(h.Name, 0o700)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, h.Name)
	case tar.TypeReg:
	default:
		return fmt.Errorf("it holds an entry of type %q", h.Typeflag)
	}
	f, err := root.OpenFile(h.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if e := f.Chmod(fs.FileMode(h.Mode).Perm()); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return root.Chtimes(h.Name, h.ModTime, h.ModTime)
}
