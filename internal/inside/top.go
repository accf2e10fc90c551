package inside

import (
	"context"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// topFor is how long the processors are watched for their load.
const topFor = time.Second

func (a *app) top() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "top", Short: "Show what this workspace uses of processors, memory and disk", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now, used, err := a.measure(cmd.Context())
			if err != nil {
				return a.near(cmd.Context(), err)
			}
			var own agentapi.OwnInfo                                               // what a workspace may use of disk and processes it does not see; the server knows
			_ = a.do(cmd.Context(), http.MethodGet, agentapi.OwnPrefix, nil, &own) // without it these limits are not shown
			if asJSON {
				return a.json(struct {
					agentapi.Figures
					CPUUsed      float64 `json:"cpuUsed"`                // processors
					DiskLimit    int64   `json:"diskLimit,omitempty"`    // bytes
					ProcessLimit int64   `json:"processLimit,omitempty"` // processes and threads
				}{now, used, own.Limits.Disk, own.Limits.Processes})
			}
			w := tabwriter.NewWriter(a.c.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "RESOURCE\tUSED\tLIMIT")
			fmt.Fprintf(w, "CPU\t%.2f\t%s\n", used, limitOf(now.CPULimit > 0, fmt.Sprintf("%.3g", now.CPULimit)))
			fmt.Fprintf(w, "memory\t%s\t%s\n", bytesIn(now.Memory), limitOf(now.MemoryLimit > 0, bytesIn(now.MemoryLimit)))
			disk := bytesIn(now.DiskFree) + " free"
			if own.Limits.Disk > 0 {
				disk = bytesIn(own.Limits.Disk) + ", " + disk
			}
			fmt.Fprintf(w, "disk\t%s\t%s\n", bytesIn(now.Disk), disk)
			fmt.Fprintf(w, "processes\t%d\t%s\n", now.Processes, limitOf(own.Limits.Processes > 0, fmt.Sprint(own.Limits.Processes)))
			return w.Flush()
		},
	}
	cmd.Flags().BoolVarP(&asJSON, "json", "j", false, "as JSON")
	return cmd
}

// measure measures twice: a processor's load is the difference.
func (a *app) measure(ctx context.Context) (now agentapi.Figures, used float64, err error) {
	before, err := a.agents().Figures(ctx)
	if err != nil {
		return now, 0, err
	}
	select {
	case <-ctx.Done():
		return now, 0, ctx.Err()
	case <-time.After(topFor):
	}
	now, err = a.agents().Figures(ctx)
	if took := now.At.Sub(before.At); err == nil && took > 0 {
		used = max(0, float64(now.CPU-before.CPU)/float64(took))
	}
	return now, used, err
}

func limitOf(known bool, text string) string {
	if !known {
		return "-"
	}
	return text
}

func bytesIn(n int64) string {
	switch {
	case n >= 1<<30:
		return gibibytes(n)
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
