package apiserver

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// lookAgain is how often a followed workspace is looked at for what no line says.
const lookAgain = 500 * time.Millisecond

// workspaceEvents tells the story of the present start or stop, from its first line until the state that is wanted is
// reached.
func (s *server) workspaceEvents(ctx context.Context, r *http.Request, out stream) error {
	row, err := s.row(r)
	if err != nil {
		return err
	}
	lines, more, stop := s.c.Workspaces.Follow(row.ID)
	defer stop()
	if err := out.send("workspace", s.wire(r, row)); err != nil {
		return err
	}
	for _, line := range lines {
		if err := out.send("progress", progressOf(line)); err != nil {
			return err
		}
	}
	look, beat := time.NewTicker(lookAgain), time.NewTicker(heartbeat)
	defer look.Stop()
	defer beat.Stop()
	reached := 0 // looks in a row: the last line may come just after the state
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			err = out.beat()
		case line, ok := <-more:
			if !ok { // deleted
				return nil
			}
			err = out.send("progress", progressOf(line))
			now, there := s.c.Workspaces.Get(row.ID)
			if there && settled(now) && line.Phase == now.Phase {
				reached = 2
			}
		case <-look.C:
			now, there := s.c.Workspaces.Get(row.ID)
			switch {
			case !there:
				return nil
			case settled(now):
				reached++
			default:
				reached = 0
			}
			if now.Phase != row.Phase || now.Message != row.Message || now.Desired != row.Desired {
				row = now
				err = out.send("workspace", s.wire(r, row))
			}
		}
		if err != nil {
			return err
		}
		if reached >= 2 {
			now, there := s.c.Workspaces.Get(row.ID)
			if !there {
				return nil
			}
			return out.send("workspace", s.wire(r, now))
		}
	}
}

// settled reports whether a workspace is as it is wanted, or will not be by itself.
func settled(row workspace.Workspace) bool { return string(row.Phase) == string(row.Desired) }

// workspaceLogs answers the lines of the present or last start at once.
func (s *server) workspaceLogs(w http.ResponseWriter, r *http.Request) error {
	row, err := s.row(r)
	if err != nil {
		return err
	}
	lines, _, stop := s.c.Workspaces.Follow(row.ID)
	stop()
	page := api.Page[api.Progress]{Items: make([]api.Progress, 0, len(lines))}
	for _, line := range lines {
		page.Items = append(page.Items, progressOf(line))
	}
	return answer(w, http.StatusOK, page)
}

func progressOf(line workspace.Line) api.Progress {
	return api.Progress{At: line.At, Phase: string(line.Phase), Text: line.Text}
}
