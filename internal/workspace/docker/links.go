package docker

import (
	"context"
	"os"
	"path"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxLinks bounds how many links of an image are followed on the way to one folder.
const maxLinks = 16

// linkless makes sure, before anything of a container has run, that nothing is mounted over what is Lanyard's own in it. The engine
// follows an image's links where it mounts: a home folder, or a volume that the image asks for, whose path is a link to /opt/lanyard
// would put a program of the image's in the agent's place.
func (r *Runtime) linkless(ctx context.Context, id string, l launch) error {
	made, err := r.engine.ContainerInspect(ctx, id)
	if err != nil {
		return r.failed("look at the container of "+string(l.spec.ID), err)
	}
	own := map[string]bool{agentFolder: true, socketFolder: true, privateFolder: true, workspaceFolder: true, l.who.home: true}
	targets := []string{privateFolder}
	for _, m := range made.Mounts {
		targets = append(targets, path.Clean(m.Destination))
	}
	for _, target := range targets {
		for _, folder := range []string{workspaceFolder, agentFolder, socketFolder, privateFolder} { // whoever is beside may change what leads there, or the engine would make it in what is the server's
			if !own[target] && inside(target, folder) {
				return problem.New(problem.Invalid, "The image has a volume at %.100q, in %s, which is the workspace's own. Take it out of the image.", target, folder)
			}
		}
	}
	for _, target := range targets { // the engine mounts all of them to look
		real, err := r.resolved(ctx, id, l, target)
		if err != nil {
			return err
		}
		if real == target {
			continue
		}
		if own[target] || overlaps(real) || real == "/" || inside(real, workspaceFolder) || inside(workspaceFolder, real) || inside(l.who.home, real) {
			return problem.New(problem.Invalid, "The image has links by which %.100q, where something is mounted, is %.100q. Take them out of the image.", target, real)
		}
	}
	return nil
}

// inside reports whether a clean path is a folder or below it.
func inside(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

func below(p, folder string) bool { return p != folder && inside(p, folder) }

// resolved is where a path of a container leads by the links that its image has. What is not there yet leads nowhere else.
func (r *Runtime) resolved(ctx context.Context, id string, l launch, target string) (string, error) {
	kept := below(target, l.who.home) // what is in the home folder, or in a volume, may have changed since
	for _, v := range l.spec.Volumes {
		kept = kept || below(target, v.Target)
	}
	if !kept {
		r.mu.Lock()
		real, known := r.leads[[2]string{l.who.image, target}]
		r.mu.Unlock()
		if known {
			return real, nil
		}
	}
	real, links := "/", 0
	for rest := strings.Split(strings.Trim(target, "/"), "/"); len(rest) > 0; rest = rest[1:] {
		next := path.Join(real, rest[0])
		stat, err := r.engine.ContainerStatPath(ctx, id, next)
		if notFound(err) {
			real = path.Join(append([]string{real}, rest...)...)
			break
		}
		if err != nil {
			return "", r.failed("look into the image", err)
		}
		real = next
		if stat.Mode&os.ModeSymlink != 0 {
			if links++; links > maxLinks || !path.IsAbs(stat.LinkTarget) {
				return "", problem.New(problem.Invalid, "The image has more links than can be followed on the way to %.100q.", target)
			}
			real = path.Clean(stat.LinkTarget) // the engine has followed all that are behind it
		}
	}
	if !kept {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.leads == nil || len(r.leads) >= maxLeads {
			r.leads = map[[2]string]string{}
		}
		r.leads[[2]string{l.who.image, target}] = real
	}
	return real, nil
}

// maxLeads bounds what is remembered of where images' paths lead.
const maxLeads = 4096
