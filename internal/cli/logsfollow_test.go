package cli

import (
	"slices"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

func TestWhatChangesInAWorkspaceIsTold(t *testing.T) {
	texts := func(before, now api.Activity) (all []string) {
		for _, h := range changes(before, now) {
			all = append(all, h.Text)
		}
		return all
	}
	web, db := api.Port{Port: 3000, Name: "web"}, api.Port{Port: 5432}
	open := func(p api.Port) api.Port { p.Listening = true; return p }
	at := func(state, step string) []api.Task {
		return []api.Task{{ID: "1", Name: "Build", State: state, Step: step, Exit: 2}}
	}
	for _, c := range []struct {
		before, now api.Activity
		want        []string
	}{
		{api.Activity{}, api.Activity{Running: true, Tasks: at("running", "init"), Ports: []api.Port{web}}, []string{"task Build: running, init"}},
		{api.Activity{Ports: []api.Port{web}}, api.Activity{Running: true, Ports: []api.Port{open(web), open(db)}}, []string{"port 3000 (web): open", "port 5432: open"}},
		{api.Activity{Ports: []api.Port{open(web), open(db)}}, api.Activity{Running: true, Ports: []api.Port{web}}, []string{"port 3000 (web): closed", "port 5432: closed"}},
		{api.Activity{Tasks: at("running", "init")}, api.Activity{Running: true, Tasks: at("failed", "init")}, []string{"task Build: failed, exit status 2"}},
		{api.Activity{Tasks: at("done", ""), Ports: []api.Port{open(db)}}, api.Activity{Running: true, Tasks: at("done", ""), Ports: []api.Port{open(db)}}, nil},
		{api.Activity{Ports: []api.Port{open(db)}}, api.Activity{}, nil},
	} {
		if got := texts(c.before, c.now); !slices.Equal(got, c.want) {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
