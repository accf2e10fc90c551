package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

const (
	gitMegabytes = 150
	gitRounds    = 5
)

// benchGit clones a repository of 150 MB that does not compress through the gateway, and through a bare reverse
// proxy, from the same `git http-backend`. They take turns.
func benchGit(ctx context.Context, b *bench) error {
	if _, err := exec.LookPath("git"); err != nil {
		skip("git.clone.speed", "git is not installed")
		skip("git.clone.cpu", "git is not installed")
		return nil
	}
	p, err := newPlace(ctx, placeOrder{people: 1, megabytes: gitMegabytes})
	if err != nil {
		return err
	}
	defer p.close()
	bare, err := startPart("bare")
	if err != nil {
		return err
	}
	defer bare.close()
	direct, err := ask[string](ctx, bare, "proxy", proxyOrder{To: p.git, User: gitUser, Password: gitPassword})
	if err != nil {
		return err
	}
	through, err := ask[string](ctx, p.load, "forward", 0)
	if err != nil {
		return err
	}
	ways := []struct {
		name, url string
		by        *part
	}{
		{"bare", "http://" + direct + "/" + repository, bare},
		{"gateway", "http://" + through + "/git/" + gitHost + "/" + repository, p.gateway},
	}
	speed, cost := map[string][]float64{}, map[string][]float64{}
	for round := range gitRounds + 1 {
		for _, w := range ways {
			var took cloned
			load := func() (err error) {
				took, err = ask[cloned](ctx, p.load, "clone", cloneOrder{URL: w.url, Folder: p.folder})
				return err
			}
			cpu, err := b.cost(ctx, w.by, load)
			if err != nil {
				return err
			}
			if round == 0 {
				continue
			}
			megabytes := float64(took.Bytes) / 1e6
			speed[w.name] = append(speed[w.name], megabytes/took.Took.Seconds())
			cost[w.name] = append(cost[w.name], ms(cpu)/megabytes)
			tell("  %s: %.0f MB at %.1f MB/s, %.2f ms of CPU a MB", w.name, megabytes, speed[w.name][round-1], cost[w.name][round-1])
		}
	}
	for _, w := range ways {
		if err := b.profiled(ctx, w.by, "git-"+w.name, func() error {
			_, err := ask[cloned](ctx, p.load, "clone", cloneOrder{URL: w.url, Folder: p.folder})
			return err
		}); err != nil {
			return err
		}
	}
	compare("git.clone.speed", median(speed["gateway"]), "MB/s", "bare", median(speed["bare"]))
	compare("git.clone.cpu", median(cost["gateway"]), "ms/MB", "bare", median(cost["bare"]))
	return nil
}

type cloneOrder struct{ URL, Folder string }

type cloned struct {
	Took  time.Duration
	Bytes int64 // of the packs
}

// clone is a real `git clone`, without a checkout.
func clone(ctx context.Context, o cloneOrder) (cloned, error) {
	to, err := os.MkdirTemp(o.Folder, "clone-")
	if err != nil {
		return cloned{}, err
	}
	defer os.RemoveAll(to)
	cmd := exec.CommandContext(ctx, "git", "clone", "--quiet", "--bare", o.URL, filepath.Join(to, "repository"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + to, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	var said bytes.Buffer
	cmd.Stderr = &said
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return cloned{}, fmt.Errorf("git clone: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	done := cloned{Took: time.Since(start)}
	packs, err := filepath.Glob(filepath.Join(to, "repository", "objects", "pack", "*.pack"))
	if err != nil {
		return done, err
	}
	for _, pack := range packs {
		info, err := os.Stat(pack)
		if err != nil {
			return done, err
		}
		done.Bytes += info.Size()
	}
	return done, nil
}

// forward gives a tunnel a loopback address: each connection is a stream.
func (l *loadRole) forward(_ context.Context, tunnel int) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	l.forwards = append(l.forwards, listener)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			s, err := l.tunnels[tunnel].Open(context.Background())
			if err != nil {
				c.Close()
				continue
			}
			go relay(c, s)
		}
	}()
	return listener.Addr().String(), nil
}

// relay passes bytes both ways until either side is done.
func relay(a, b net.Conn) {
	var both sync.WaitGroup
	defer both.Wait()
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // the end of either is the end of both
		a.Close()
		b.Close()
	}
	both.Go(func() { pass(a, b) })
	both.Go(func() { pass(b, a) })
}
