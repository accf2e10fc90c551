package runtimetest

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// testRemovedFiles holds files open that were removed: in the checkouts, at home and, where it lies on disk, in the image's files.
func testRemovedFiles(t *testing.T, s *Server) {
	disk, ok := s.Runtime.(workspace.Disk)
	if !ok {
		t.Skip("what its workspaces have on disk cannot be measured")
	}
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	before, err := disk.DiskUse(Context(t), id, workspace.DiskUse{})
	if err != nil {
		t.Fatal(err)
	}
	held := s.Shell(t, id, `n=0
for d in /workspace ~ /var/tmp; do
	if [ $d = /var/tmp ] && [ "$(stat -f -c %T $d)" != overlayfs ]; then continue; fi
	(head -c 8388608 /dev/zero > $d/gone; exec 3< $d/gone; rm $d/gone; touch /workspace/ready$n; exec sleep 1000) >/dev/null 2>&1 &
	until [ -e /workspace/ready$n ]; do sleep 0.05; done
	n=$((n+1))
done; echo $n`)
	n, err := strconv.ParseInt(strings.TrimSpace(held), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	after, err := disk.DiskUse(Context(t), id, workspace.DiskUse{})
	if err != nil {
		t.Fatal(err)
	}
	if grown := after.Bytes - before.Bytes; grown < n<<23 || grown > n<<23+1<<20 {
		t.Errorf("%d files of 8 MiB that have no name are open, and it grew by %d bytes (the server is user %d)", n, grown, os.Geteuid())
	}
}
