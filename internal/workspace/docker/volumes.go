package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// The parts of a workspace that outlive its container. Further volumes are "v-" and their name.
const (
	partHome  = "home"
	partFiles = "files"
)

// volumeName names one at the engine.
func volumeName(id identity.WorkspaceID, part string) string {
	return baseName(id) + "-" + part
}

// makeVolumes makes those that are missing, and says how many were, and whether the workspace had any, also beside an error.
func (r *Runtime) makeVolumes(ctx context.Context, spec workspace.Spec, progress func(string)) (made int, had bool, err error) {
	server, err := r.server()
	if err != nil {
		return 0, true, err
	}
	all, err := r.volumes(ctx, labelWorkspace, string(spec.ID))
	if err != nil {
		return 0, true, err
	}
	had = len(all) > 0
	parts := []string{partHome}
	if !spec.SharesFiles {
		parts = append(parts, partFiles)
	}
	for _, v := range spec.Volumes {
		parts = append(parts, "v-"+v.Name)
	}
	for _, part := range parts {
		name := volumeName(spec.ID, part)
		if slices.ContainsFunc(all, func(v *volume.Volume) bool { return v.Name == name }) {
			continue
		}
		if made == 0 {
			progress("making the workspace's volumes")
		}
		o := volume.CreateOptions{Name: name, Driver: "local", Labels: map[string]string{
			labelServer: server, labelWorkspace: string(spec.ID), labelBeside: string(spec.Beside),
		}}
		if spec.Limits.Disk > 0 {
			o.DriverOpts = map[string]string{"size": strconv.FormatInt(spec.Limits.Disk, 10)}
		}
		_, err := r.engine.VolumeCreate(ctx, o)
		if err != nil && o.DriverOpts != nil && strings.Contains(err.Error(), "quota") { // the engine's file system has none: the size is measured
			o.DriverOpts = nil
			_, err = r.engine.VolumeCreate(ctx, o)
		}
		if err != nil {
			return made, had, r.failed("make a volume", err)
		}
		made++
	}
	return made, had, nil
}

// mounts are all that a container sees of the host.
func (l launch) mounts() ([]mount.Mount, error) {
	mounts := []mount.Mount{
		{Type: mount.TypeBind, Source: l.agent, Target: agentFolder, ReadOnly: true},
		{Type: mount.TypeBind, Source: l.socket, Target: socketFolder, ReadOnly: true},
		{Type: mount.TypeVolume, Source: volumeName(l.spec.ID, partHome), Target: l.who.home},
		{Type: mount.TypeVolume, Source: volumeName(l.place, partFiles), Target: workspaceFolder},
	}
	for _, v := range l.spec.Volumes {
		if err := checkVolume(v, l.who.home); err != nil {
			return nil, err
		}
		mounts = append(mounts, mount.Mount{Type: mount.TypeVolume, Source: volumeName(l.spec.ID, "v-"+v.Name), Target: v.Target, ReadOnly: v.ReadOnly})
	}
	return mounts, nil
}

// kept are folders over which nothing of a workspace's own choice is mounted.
var kept = []string{"/proc", "/sys", "/dev", agentFolder, socketFolder, privateFolder}

// checkVolume refuses what would take the place of Lanyard's own.
func checkVolume(v workspace.Volume, home string) error {
	if !path.IsAbs(v.Target) || path.Clean(v.Target) != v.Target || v.Target == "/" || v.Target == workspaceFolder || v.Target == home || overlaps(v.Target) {
		return problem.New(problem.Invalid, "A volume cannot be mounted at %.100q: name an absolute folder that is not Lanyard's own or the kernel's.", v.Target)
	}
	return nil
}

// overlaps reports whether a folder is one that is kept, or in one, or around one.
func overlaps(target string) bool {
	return slices.ContainsFunc(kept, func(k string) bool {
		return target == k || strings.HasPrefix(target, k+"/") || strings.HasPrefix(k, target+"/")
	})
}

// handOver makes the folders the user's, before anything runs: volumes begin as root's. What is in them keeps its owners.
func (r *Runtime) handOver(ctx context.Context, id string, l launch) error {
	if done, err := r.ownHere(ctx, l); done || err != nil {
		return err
	}
	who := l.who
	_, folders := l.parts()
	var b bytes.Buffer
	archive := tar.NewWriter(&b)
	for _, dir := range folders {
		h := tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: 0o755, Uid: who.uid, Gid: who.gid, Format: tar.FormatPAX}
		if err := archive.WriteHeader(&h); err != nil {
			return fmt.Errorf("docker: folders: %w", err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("docker: folders: %w", err)
	}
	if err := r.engine.CopyToContainer(ctx, id, "/", &b, container.CopyToContainerOptions{}); err != nil {
		return r.failed("hand the folders over to the workspace's user", err)
	}
	return nil
}
