package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// place is a Lanyard with people in it, each with a workspace whose tunnel the load part holds.
type place struct {
	gateway, upstream, load *part
	app, git                string // addresses of the upstream
	folder                  string
	tenant                  tenantAnswer
	people                  int
	url                     string // of the gateway
}

type placeOrder struct {
	people    int
	megabytes int // of the repository; 0: none
	redirects []string
}

// newPlace starts the parts, signs the people in by the real code flow, and makes their workspaces.
func newPlace(ctx context.Context, o placeOrder) (_ *place, err error) {
	p := &place{people: o.people}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.folder, err = os.MkdirTemp("", "lyb-"); err != nil { // short: sockets live below it
		return nil, err
	}
	for _, one := range []struct {
		role string
		to   **part
	}{{"upstream", &p.upstream}, {"gateway", &p.gateway}, {"load", &p.load}} {
		if *one.to, err = startPart(one.role); err != nil {
			return nil, err
		}
	}
	if p.app, err = ask[string](ctx, p.upstream, "app", nil); err != nil {
		return nil, err
	}
	if o.megabytes > 0 {
		if p.git, err = ask[string](ctx, p.upstream, "git", gitOrder{Folder: p.folder, Megabytes: o.megabytes}); err != nil {
			return nil, err
		}
	}
	about, err := ask[gatewayAnswer](ctx, p.gateway, "start", gatewayOrder{Folder: p.folder, People: o.people, App: p.app, Git: p.git, Redirects: o.redirects})
	if err != nil {
		return nil, err
	}
	p.tenant, p.url = about.Tenant, about.URL
	for i := range o.people {
		if err := p.workspace(ctx, about, i); err != nil {
			return nil, fmt.Errorf("the workspace of %s: %w", personName(i), err)
		}
	}
	return p, nil
}

// workspace signs a person in and makes a workspace; its tunnel has the person's number.
func (p *place) workspace(ctx context.Context, about gatewayAnswer, i int) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	b := browser.New()
	defer b.Close()
	if err := b.SignIn(ctx, about.URL, personName(i), "lanyard-"+personName(i)); err != nil {
		return err
	}
	r := remote.As(b, about.URL)
	var ws api.Workspace
	var err error
	for { // the directory is read after the server's start
		if ws, err = r.CreateWorkspace(ctx, api.Order{ContextURL: "https://" + gitHost + "/" + repository}); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	folder := filepath.Join(about.Sockets, identity.WorkspaceID(ws.ID).Label())
	if n, err := ask[int](ctx, p.load, "dial", folder); err != nil || n != i {
		return errors.Join(err, fmt.Errorf("tunnel %d", n))
	}
	if ws, err = r.Follow(ctx, ws.ID, func(api.Progress) {}); err != nil || ws.Phase != "running" {
		return errors.Join(err, fmt.Errorf("it is %s: %s", ws.Phase, ws.Message))
	}
	return nil
}

func (p *place) everybody() []int {
	all := make([]int, p.people)
	for i := range all {
		all[i] = i
	}
	return all
}

func (p *place) close() {
	for _, one := range slices.Backward([]*part{p.upstream, p.gateway, p.load}) {
		if one != nil {
			one.close()
		}
	}
	if p.folder != "" {
		if err := os.RemoveAll(p.folder); err != nil {
			tell("remove %s: %v", p.folder, err)
		}
	}
}

// spender is a process, or a group of them, whose CPU time is counted.
type spender interface {
	cpu(context.Context) (time.Duration, error)
}

// together are several whose CPU time is added up.
type together []spender

func (t together) cpu(ctx context.Context) (sum time.Duration, err error) {
	for _, one := range t {
		d, err := one.cpu(ctx)
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// cost runs something and returns the CPU time that a part took meanwhile.
func (b *bench) cost(ctx context.Context, p spender, do func() error) (time.Duration, error) {
	before, err := p.cpu(ctx)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := p.cpu(ctx)
	return after - before, err
}

// profiled runs something with a CPU profile of a part, where profiles are wanted.
func (b *bench) profiled(ctx context.Context, p *part, name string, do func() error) error {
	if b.profiles == "" {
		return nil
	}
	folder, err := filepath.Abs(b.profiles)
	if err != nil {
		return err
	}
	if _, err := ask[nothing](ctx, p, "profile", filepath.Join(folder, name+".pprof")); err != nil {
		return err
	}
	failed := do()
	_, err = ask[nothing](ctx, p, "profile", "")
	return errors.Join(failed, err)
}
