package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"
)

// A part is a process of this program that plays one role, so that what it costs is measured alone: load, what stands
// behind the gateway, and the gateway do not share a heap or an account of CPU time. It is asked by lines of JSON on
// its standard input, answers on its standard output, one at a time, and ends when its standard input does.
type part struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	answer *json.Decoder
}

type question struct {
	What string          `json:"what"`
	Args json.RawMessage `json:"args"`
}

type answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// startPart starts a process of this program.
func startPart(role string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &part{name: role, cmd: exec.Command(self, "role", role)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answer = json.NewDecoder(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	return p, nil
}

// ask asks a part and waits for its answer. A part that does not answer when ctx ends is ended.
func ask[R any](ctx context.Context, p *part, what string, args any) (result R, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, %s: %w", p.name, what, err)
		}
	}()
	raw, err := json.Marshal(args)
	if err != nil {
		return result, err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })
	defer stop()
	if err := json.NewEncoder(p.in).Encode(question{what, raw}); err != nil {
		return result, err
	}
	var a answer
	if err := p.answer.Decode(&a); err != nil {
		return result, errors.Join(context.Cause(ctx), err)
	}
	if a.Error != "" {
		return result, errors.New(a.Error)
	}
	return result, json.Unmarshal(a.Result, &result)
}

// close ends the part and waits for its end.
func (p *part) close() {
	p.in.Close()
	kill := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	_ = p.cmd.Wait() // it has said on standard error what went wrong
}

// cpu is the CPU time that a part has taken since its start.
func (p *part) cpu(ctx context.Context) (time.Duration, error) {
	return ask[time.Duration](ctx, p, "cpu", nil)
}

// A role is what a part does: what it can be asked, and how it ends.
type role interface {
	methods() map[string]method
	close()
}

type method func(context.Context, json.RawMessage) (any, error)

// takes makes a method of a function.
func takes[A, R any](f func(context.Context, A) (R, error)) method {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var args A
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, err
		}
		return f(ctx, args)
	}
}

type nothing struct{}

// play is the life of a part.
func play(name string) error {
	roles := map[string]func() role{
		"gateway": func() role { return &gatewayRole{} }, "upstream": func() role { return &upstreamRole{} },
		"load": func() role { return &loadRole{} }, "bare": func() role { return &bareRole{} },
		"auth": func() role { return &authRole{} }, "tenant": func() role { return &tenantRole{} }, "reader": func() role { return &readerRole{} },
	}
	newRole, ok := roles[name]
	if !ok {
		return errors.New("there is no such role")
	}
	r := newRole()
	defer r.close()
	methods := r.methods()
	methods["cpu"] = takes(func(context.Context, nothing) (time.Duration, error) { return usedCPU() })
	methods["profile"] = takes(profile)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q question
		if err := in.Decode(&q); err != nil {
			return nil // who started us is done, or gone
		}
		var a answer
		m, ok := methods[q.What]
		if !ok {
			m = func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("not known here") }
		}
		result, err := m(context.Background(), q.Args)
		if err == nil {
			a.Result, err = json.Marshal(result)
		}
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := out.Encode(a); err != nil {
			return nil
		}
	}
}

// usedCPU is the CPU time of this process, all threads, user and system.
func usedCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// profile begins a CPU profile in a file, or ends the one that runs when the name is empty.
func profile(_ context.Context, file string) (nothing, error) {
	if file == "" {
		pprof.StopCPUProfile()
		return nothing{}, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nothing{}, err
	}
	f, err := os.Create(file)
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, pprof.StartCPUProfile(f)
}
