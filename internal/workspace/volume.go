package workspace

import (
	"fmt"
	"strings"
)

// Mounted are the volumes of a workspace that are mounted, home being its user's home folder, and what is to be said of the
// others. Those below the checkouts and the home are none: what is there is kept over stops as it is, an earlier run may have
// left a link in their place, and a checkout is cloned into a folder that is not there yet. Agents make folders of them.
func (s Spec) Mounted(home string) (mounted []Volume, left []string) {
	for _, v := range s.Volumes {
		switch {
		case strings.HasPrefix(v.Target, "/workspace/"):
			left = append(left, fmt.Sprintf("The volume %s is a folder: %s is below /workspace, which is kept over stops.", v.Name, v.Target))
		case strings.HasPrefix(v.Target, home+"/"):
			left = append(left, fmt.Sprintf("The volume %s is a folder: %s is below the home folder, which is kept over stops.", v.Name, v.Target))
		default:
			mounted = append(mounted, v)
		}
	}
	return mounted, left
}
