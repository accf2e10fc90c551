package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// serveUnpack takes a pack: as a checkout that is not there yet, or as a new branch of the one that is.
func (a *Agent) serveUnpack(w http.ResponseWriter, r *http.Request) {
	in := bufio.NewReaderSize(r.Body, 64<<10)
	u, p, err := agentapi.ReadUnpack(in)
	if err != nil {
		http.Error(w, "not a pack: "+err.Error(), http.StatusBadRequest)
		return
	}
	var out agentapi.Unpacked
	switch {
	case !agentapi.ValidCommit(p.Commit) || p.Format != "sha1" && p.Format != "sha256" || p.Head != "" && !agentapi.ValidCommit(p.Head) || slices.ContainsFunc(p.Shallow, func(c string) bool { return !agentapi.ValidCommit(c) }):
		err = errors.New("it does not name its commits")
	case u.Branch == "":
		err = a.unpackNew(r.Context(), u, p, in)
	default:
		out, err = a.unpackBranch(r.Context(), u, p, in)
	}
	if err != nil {
		a.log.Warn("unpacking a checkout failed", "err", err)
		out = agentapi.Unpacked{Error: "The checkout could not be taken: " + err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the server is gone if this fails
}

// unpackNew makes the checkout of that name, whole or not at all.
func (a *Agent) unpackNew(ctx context.Context, u agentapi.Unpack, p agentapi.Pack, pack io.Reader) error {
	name := u.Name
	if !agentapi.ValidName(name) {
		return fmt.Errorf("%q cannot name a folder of the workspace", name)
	}
	a.setups.Lock()
	defer a.setups.Unlock()
	dir := filepath.Join(a.config.Workspace, name)
	if _, err := os.Lstat(dir); err == nil {
		if u.Keep {
			_, err := io.Copy(io.Discard, pack) // so that the sender can read the answer
			return err
		}
		return fmt.Errorf("%s is there already", dir)
	}
	fresh := filepath.Join(a.config.Workspace, "."+name+".copying")
	if err := removeAll(fresh); err != nil {
		return fmt.Errorf("the rest of an earlier copy: %w", err)
	}
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	g := plumbing{agent: a, dir: fresh}
	err := g.fill(ctx, p, pack)
	if err == nil && u.Uncommitted && p.Head != "" && p.Head != p.Commit {
		_, err = g.text(ctx, "reset", "--mixed", "--quiet", p.Head)
	}
	if err == nil && u.Uncommitted {
		err = g.follow(ctx, p)
	}
	if err != nil {
		_ = removeAll(fresh) // a next attempt tries again
		return err
	}
	return os.Rename(fresh, dir)
}

// fill makes an empty folder a checkout.
func (g plumbing) fill(ctx context.Context, p agentapi.Pack, pack io.Reader) error {
	if _, err := g.text(ctx, "init", "--quiet", "--template=", "--object-format="+p.Format); err != nil {
		return err
	}
	if err := g.run(ctx, pack, io.Discard, "index-pack", "--stdin"); err != nil {
		return err
	}
	if len(p.Shallow) > 0 {
		if err := os.WriteFile(filepath.Join(g.dir, ".git", "shallow"), []byte(strings.Join(p.Shallow, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	steps := [][]string{{"update-ref", "--no-deref", "HEAD", p.Commit}}
	if _, err := g.text(ctx, "check-ref-format", "--branch", p.Branch); p.Branch != "" && err == nil {
		steps = [][]string{{"symbolic-ref", "HEAD", "refs/heads/" + p.Branch}, {"update-ref", "HEAD", p.Commit}}
	}
	if p.Origin != "" {
		steps = append(steps, []string{"config", "remote.origin.url", p.Origin},
			[]string{"config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"})
	}
	for _, args := range append(steps, []string{"reset", "--hard", "--quiet"}) {
		if _, err := g.text(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// follow lets the branch that is checked out go where it came from with a plain push and pull, as after a clone.
func (g plumbing) follow(ctx context.Context, p agentapi.Pack) error {
	at, err := g.text(ctx, "symbolic-ref", "--quiet", "HEAD")
	branch, ok := strings.CutPrefix(at, "refs/heads/")
	if err != nil || !ok || p.Origin == "" {
		return nil // a commit is checked out
	}
	n := 0
	for name, commit := range p.Remote {
		if n++; n > maxRemote || !agentapi.ValidCommit(commit) {
			break
		}
		_, _ = g.text(ctx, "update-ref", "refs/remotes/origin/"+name, commit) // Git refuses names that are none; a fetch brings the others
	}
	for _, args := range [][]string{{"branch." + branch + ".remote", "origin"}, {"branch." + branch + ".merge", at}} {
		if _, err := g.text(ctx, append([]string{"config"}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// unpackBranch takes what another did, whom this workspace's person need not trust: its objects are checked as a server
// checks a push, and a new branch is made to name them. Nothing is checked out, so nothing of it is run.
func (a *Agent) unpackBranch(ctx context.Context, u agentapi.Unpack, p agentapi.Pack, pack io.Reader) (out agentapi.Unpacked, err error) {
	if !agentapi.ValidAgentBranch(u.Branch) || !agentapi.ValidCommit(u.Base) {
		return out, fmt.Errorf("%q cannot name the branch of an AI agent", u.Branch)
	}
	dir, err := a.checkoutFolder(u.Name)
	if err != nil {
		return out, err
	}
	g := plumbing{agent: a, dir: dir}.strictly()
	in, err := a.enterQuarantine(ctx, g)
	if err != nil {
		return out, err
	}
	defer in.leave()
	if err := in.run(ctx, pack, io.Discard, "index-pack", "--stdin", "--fix-thin", "--strict", "--max-input-size="+strconv.Itoa(agentapi.MaxPack)); err != nil {
		return out, err
	}
	if kind, err := in.text(ctx, "cat-file", "-t", p.Commit); err != nil || kind != "commit" {
		return out, fmt.Errorf("%s is not a commit that came along", p.Commit)
	}
	if _, err := in.text(ctx, "rev-list", "--objects", "--quiet", p.Commit, "^"+u.Base); err != nil { // all that it leads to is there
		return out, err
	}
	if err := in.accept(); err != nil {
		return out, err
	}
	if err := g.nameBranch(ctx, u.Branch, p.Commit); err != nil {
		return out, err
	}
	return g.difference(ctx, u.Base, p.Commit), nil
}

// nameBranch makes a branch. One that is there stays as it is; where it holds the same files, an earlier attempt made it.
func (g plumbing) nameBranch(ctx context.Context, branch, commit string) error {
	ref, none := "refs/heads/"+branch, strings.Repeat("0", len(commit))
	_, err := g.text(ctx, "update-ref", "-m", "lanyard: the work of an AI agent", ref, commit, none)
	if err == nil {
		return nil
	}
	was, failed := g.text(ctx, "rev-parse", "--verify", "--quiet", ref+"^{tree}")
	is, wrong := g.text(ctx, "rev-parse", "--verify", "--quiet", commit+"^{tree}")
	if failed == nil && wrong == nil && was == is {
		return nil
	}
	return err
}

// diffTime bounds the showing of a difference; the branch is there without it.
const diffTime = 20 * time.Second

// difference shows what a branch changed, as far as it can be shown.
func (g plumbing) difference(ctx context.Context, base, commit string) (out agentapi.Unpacked) {
	ctx, cancel := context.WithTimeout(ctx, diffTime)
	defer cancel()
	differ := []string{"diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "--ignore-submodules=dirty"}
	stat := limited{most: agentapi.MaxStat}
	if err := g.run(ctx, nil, &stat, append(differ, "--stat=100", base, commit, "--")...); err != nil {
		out.Cut = true
	}
	diff := limited{most: agentapi.MaxDiff}
	if err := g.run(ctx, nil, &diff, append(differ, "--patch", base, commit, "--")...); err != nil {
		out.Cut = true
	}
	out.Stat, out.Diff = stat.kept.String(), diff.kept.String()
	return out
}
