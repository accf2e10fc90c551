package server

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// fit chooses the class of a workspace that is started for the first time and that nobody asked a class for: the smallest one
// that it may have and that has what the file needs; where none has, the largest. A file never gives a class that the project
// or a policy keeps back. It returns what is to be said of it; empty: the file needs nothing.
func (x *preparing) fit(needs devfile.Needs) string {
	if needs.CPUs == 0 && needs.Memory == 0 && needs.Storage == 0 || x.again() || x.who.Kind == identity.Service {
		return ""
	}
	wish := "hostRequirements asks for " + joined(needed(needs)) + ": "
	if x.row.Class != "" && !x.row.Fitted {
		own, err := x.class(x.row)
		if err != nil || len(lacks(own, needs)) == 0 {
			return ""
		}
		return "Warning: " + wish + "the class " + own.Name + ", which was asked for, has " + joined(lacks(own, needs)) + "." + x.others(needs)
	}
	x.row.Class, x.row.Fitted = "", false
	may := x.mayHave()
	if len(may) == 0 {
		return wish + "no policy lets this workspace choose a class for that, so the one of the project holds."
	}
	for _, c := range may {
		if len(lacks(c, needs)) == 0 {
			x.row.Class, x.row.Fitted = c.Name, true
			return wish + "the smallest class that has it is " + c.Name + "."
		}
	}
	largest := may[len(may)-1]
	x.row.Class, x.row.Fitted = largest.Name, true
	return "Warning: " + wish + "no class that this workspace may have is that large. It starts in the largest, " + largest.Name + ", which has " + joined(lacks(largest, needs)) + "."
}

// others names the classes that would do.
func (x *preparing) others(needs devfile.Needs) string {
	var names []string
	for _, c := range x.mayHave() {
		if len(lacks(c, needs)) == 0 {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return " No class that this workspace may have is large enough."
	}
	return " Large enough: " + strings.Join(names, ", ") + "."
}

// mayHave are the classes that this workspace may be of, the smallest first: those of its project that its owner may create
// and start workspaces of, and that the machine has room for.
func (x *preparing) mayHave() []workspace.Class {
	most := x.options.Rules.Memory
	_, found, ok := x.engine.Facts().Projects.ForRepository(x.row.Repository)
	own := identity.Resource{Kind: identity.KindWorkspace, Name: string(x.row.ID), Project: x.row.Project, Owner: x.row.Owner}
	may := slices.DeleteFunc(x.classesOf(x.row.Project), func(c workspace.Class) bool {
		return most > 0 && c.Memory > most || !ok ||
			!x.engine.May(access.Request{Principal: x.who, Action: identity.WorkspaceCreate, Resource: found.Resource(x.row.Project), Class: c.Name}) ||
			!x.engine.May(access.Request{Principal: x.who, Action: identity.WorkspaceStart, Resource: own, Class: c.Name})
	})
	slices.SortStableFunc(may, bySize)
	return may
}

// bySize orders classes by memory, which is what there is least of, then processors, then disk.
func bySize(a, b workspace.Class) int {
	return cmp.Or(cmp.Compare(bound(float64(a.Memory)), bound(float64(b.Memory))), cmp.Compare(bound(a.CPUs), bound(b.CPUs)), cmp.Compare(bound(float64(a.Disk)), bound(float64(b.Disk))))
}

// bound is a limit, of which zero is none.
func bound(limit float64) float64 {
	if limit == 0 {
		return math.Inf(1)
	}
	return limit
}

// lacks is what a class has less of than is needed, as it has it.
func lacks(c workspace.Class, n devfile.Needs) (have []string) {
	if bound(c.CPUs) < float64(n.CPUs) {
		have = append(have, processors(c.CPUs))
	}
	if bound(float64(c.Memory)) < float64(n.Memory) {
		have = append(have, bytesOf(c.Memory)+" of memory")
	}
	if bound(float64(c.Disk)) < float64(n.Storage) {
		have = append(have, bytesOf(c.Disk)+" of disk")
	}
	return have
}

func needed(n devfile.Needs) (all []string) {
	if n.CPUs > 0 {
		all = append(all, processors(float64(n.CPUs)))
	}
	if n.Memory > 0 {
		all = append(all, bytesOf(n.Memory)+" of memory")
	}
	if n.Storage > 0 {
		all = append(all, bytesOf(n.Storage)+" of disk")
	}
	return all
}

func processors(n float64) string {
	if n == 1 {
		return "1 processor"
	}
	return strconv.FormatFloat(n, 'g', 4, 64) + " processors"
}

func bytesOf(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return strconv.FormatFloat(float64(n)/(1<<30), 'f', -1, 64) + " GiB"
}

// joined is "a", "a and b", "a, b and c".
func joined(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}
