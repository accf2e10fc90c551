package telemetry

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/observe"
)

// State is what a server is doing at one moment.
type State struct {
	Sites     []*observe.Site
	Access    access.Figures
	Directory Directory
	Graph     *Graph // nil: nobody reads it here
	// Provisioning is what the tenant's provisioning service does; nil: nobody serves it.
	Provisioning *Provisioning
	Feed         Feed
	Audit        audit.Status
	Tunnels      int            // workspaces that are connected
	Workspaces   map[string]int // by phase
	Warm         []Warm         // made ahead
	Store        observe.Totals // transactions that may write
	Records      int64          // request records that could not be kept
	Refused      int64          // connections refused because their address had too many open
	Certificates []Certificate  // that are shown; none where TLS is spoken in front
	Disks        []Disk         // that files of workspaces, and the server's own, lie on
}

// Disk is a file system.
type Disk struct {
	Path             string // of a folder on it
	Size, Free       int64  // bytes
	Reserve          int64  // bytes that workspaces leave free
	Low              bool   // they are not
	Files, FreeFiles int64  // 0: not bounded
}

// Warm are the workspaces that a project has made ahead of a class, here.
type Warm struct {
	Project, Class        string
	Wanted, Ready, Making int
	Failing               bool // there is a reason why there are not more
}

// Certificate is one that the server shows.
type Certificate struct {
	Name  string // the first of its names
	Until time.Time
}

// Directory is how the directory is doing.
type Directory struct {
	AsOf          time.Time // zero: never read
	Users, Groups int
	Sweep, Stale  time.Duration // how often it is read; how old it may be for new leases
}

// Graph is how this process reads the directory from Microsoft Graph.
type Graph struct {
	Requests, Throttled, Failed, Resyncs int64
	Failing                              bool
	// Pages are those that a reading of everything has so far, by users and groups; empty when none is under way.
	Pages map[string]int
}

// Feed is how this process follows the others.
type Feed struct {
	Seq    int64         // of the facts in use
	Behind time.Duration // how long it has been since everything was known to be in
}

// Provisioning is how the tenant's provisioning service (SCIM) is doing with this process.
type Provisioning struct {
	Requests, Refused, Failed int64     // with a valid credential; without; changes that had to be applied again
	Last                      time.Time // of the requests with one; zero: none since the start
}
