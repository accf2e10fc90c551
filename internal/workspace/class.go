package workspace

import (
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Class is a size of workspace that the configuration offers. Its limits are bounds, not reservations.
type Class struct {
	Name  string // [a-z][a-z0-9-]{0,40}
	Title string // for people who choose; may be empty
	Limits
}

// StandardClass is what there is where the configuration names no class: enough for most work, and a bound on what one
// workspace takes from the others. Disk is not bounded.
func StandardClass() Class {
	return Class{Name: "standard", Title: "4 processors, 8 GiB", Limits: Limits{CPUs: 4, Memory: 8 << 30, Processes: 4096}}
}

// Classes are the classes that are offered, the default one first. There is at least one.
type Classes []Class

// Find finds a class by name; an empty name is the default.
func (c Classes) Find(name string) (Class, error) {
	for _, one := range c {
		if name == "" || one.Name == name {
			return one, nil
		}
	}
	var names []string
	for _, one := range c {
		names = append(names, one.Name)
	}
	return Class{}, problem.New(problem.Invalid, "There is no workspace class %q here; there is %s.", name, strings.Join(names, ", "))
}

// Rules are the bounds and times that hold for all workspaces. Zero fields bound nothing.
type Rules struct {
	// Running and Memory (bytes, the sum of the classes' bounds) are what runs on one machine at a time. What is more waits
	// its turn.
	Running int
	Memory  int64
	// Reserve is what stays free of a disk that workspaces' files lie on, in bytes; zero: a twentieth of it, and at most 1 GiB.
	Reserve int64
	// RunningPerUser, RunningPerProject and PerUser (running or not) are refused beyond.
	RunningPerUser, RunningPerProject, PerUser int

	MaxTimeout time.Duration // the longest timeout that somebody may set
	MaxLife    time.Duration // how long a workspace runs at most
	WarnBefore time.Duration // how long before its end it is told; zero: DefaultWarn

	// ArchiveAfter, DeleteAfter and DeleteUnsavedAfter count from a workspace's last use, and leave out what is pinned.
	// DeleteAfter is for those that hold nothing that is not pushed.
	ArchiveAfter, DeleteAfter, DeleteUnsavedAfter time.Duration
}

// DefaultWarn is how long before its end a workspace is told, or a third of its timeout where that is less.
const DefaultWarn = 5 * time.Minute
