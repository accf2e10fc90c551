package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	engineimage "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/versions"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Engines since 29 keep images in containerd's store unless they were set up before, which differs from the older one in what
// this file knows: every image has a digest, wherever it came from; what is loaded has to bring all its layers; and where a
// container's own layer lies is said by its mount alone.
const snapshotter = "io.containerd.snapshotter.v1"

// keepsSnapshots reports whether a status, pairs of names and values, is that of an engine with containerd's store.
func keepsSnapshots(status [][2]string) bool {
	return slices.Contains(status, [2]string{"driver-type", snapshotter})
}

// identifies is the first version of the API that says of an image whether it was pulled
// (https://docs.docker.com/reference/api/engine/version-history/, v1.53).
const identifies = "1.53"

// wasPulled asks whether an image of containerd's store came from a registry. An engine that cannot tell is taken to say yes: then
// the registry is asked whether the person may have it.
func (r *Runtime) wasPulled(ctx context.Context, im engineimage.InspectResponse) (bool, error) {
	version, err := r.engine.ServerVersion(ctx)
	if err != nil {
		return false, r.failed("say its version", err)
	}
	if versions.LessThan(version.APIVersion, identifies) {
		return true, nil
	}
	// The client speaks an older version, whose answer leaves this out.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/v"+identifies+"/images/"+url.PathEscape(im.ID)+"/json", nil)
	if err != nil {
		return false, fmt.Errorf("docker: ask for an image: %w", err)
	}
	answer, err := r.engine.HTTPClient().Do(req)
	if err != nil {
		return false, r.failed("say where an image came from", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return false, problem.New(problem.Unavailable, "The Docker engine does not say where an image came from: %s.", answer.Status)
	}
	var said struct {
		Identity struct{ Pull []json.RawMessage }
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return false, fmt.Errorf("docker: where an image came from: %w", err)
	}
	return len(said.Identity.Pull) > 0, nil
}

// ownLayer is the folder that a running container's own changes go to, by the mount of its root; empty where it is no overlay.
func ownLayer(pid int) string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "mountinfo"))
	if err != nil {
		return "" // it has ended
	}
	for line := range strings.Lines(string(b)) {
		mount, super, ok := strings.Cut(line, " - ")
		at, of := strings.Fields(mount), strings.Fields(super)
		if !ok || len(at) < 5 || at[4] != "/" || len(of) < 3 || of[0] != "overlay" {
			continue
		}
		for option := range strings.SplitSeq(of[2], ",") {
			if upper, is := strings.CutPrefix(option, "upperdir="); is && filepath.IsAbs(upper) {
				return upper
			}
		}
	}
	return ""
}
