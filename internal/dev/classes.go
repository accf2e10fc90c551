package dev

import "github.com/lanyardhq/lanyard/internal/workspace"

// classes are the sample sizes of workspaces.
func classes() workspace.Classes {
	return workspace.Classes{
		workspace.StandardClass(),
		{Name: "small", Title: "1 processor, 1 GiB", Limits: workspace.Limits{CPUs: 1, Memory: 1 << 30, Processes: 512}},
		{Name: "large", Title: "8 processors, 16 GiB", Limits: workspace.Limits{CPUs: 8, Memory: 16 << 30, Processes: 8192}},
	}
}
