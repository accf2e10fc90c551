package prebuild

import (
	"cmp"
	"time"
)

// Limits bound what is made and kept; zero fields take the defaults.
type Limits struct {
	AtOnce    int           // made at once on this server
	Timeout   time.Duration // how long making one may take
	Size      int64         // of one, in bytes
	Total     int64         // of all in the data folder together, in bytes: the oldest beyond it go
	PerBranch int           // kept of each branch at most, whatever its project says
	Keep      time.Duration // how long one is kept
	// Poll and Every are the least pace at which a repository is looked at, and one is made anew, whatever its project says.
	Poll, Every time.Duration
	Yields      time.Duration // from when it is ordered: how long it makes room for every workspace that waits for that
}

// What holds where nothing is said.
const (
	DefaultAtOnce    = 1
	DefaultTimeout   = time.Hour
	DefaultSize      = 8 << 30
	DefaultTotal     = 100 << 30
	DefaultPerBranch = 50
	DefaultKeep      = 14 * 24 * time.Hour
	DefaultPoll      = time.Minute
	DefaultEvery     = time.Hour
	DefaultYields    = time.Hour
)

// OrDefaults fills in what is not said.
func (l Limits) OrDefaults() Limits {
	return Limits{
		AtOnce: cmp.Or(l.AtOnce, DefaultAtOnce), Timeout: cmp.Or(l.Timeout, DefaultTimeout), Size: cmp.Or(l.Size, DefaultSize), Total: cmp.Or(l.Total, DefaultTotal),
		PerBranch: cmp.Or(l.PerBranch, DefaultPerBranch), Keep: cmp.Or(l.Keep, DefaultKeep), Poll: cmp.Or(l.Poll, DefaultPoll), Every: cmp.Or(l.Every, DefaultEvery),
		Yields: cmp.Or(l.Yields, DefaultYields),
	}
}
