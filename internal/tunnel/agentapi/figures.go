package agentapi

import (
	"context"
	"time"
)

// Figures are what a workspace uses, as its agent sees it. Zero limits are not known, or there are none.
type Figures struct {
	CPU         time.Duration `json:"cpu"`      // processor time since the workspace's start, in nanoseconds
	CPULimit    float64       `json:"cpuLimit"` // processors
	Memory      int64         `json:"memory"`   // bytes
	MemoryLimit int64         `json:"memoryLimit"`
	Disk        int64         `json:"disk"` // bytes of home and checkouts, counted at most once a minute
	DiskFree    int64         `json:"diskFree"`
	Processes   int           `json:"processes"` // processes and threads
	At          time.Time     `json:"at"`
}

// Figures measures the workspace now.
func (c Client) Figures(ctx context.Context) (Figures, error) {
	var f Figures
	return f, c.get(ctx, "/v1/figures", &f)
}
