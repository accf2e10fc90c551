package config

import (
	"path/filepath"

	"github.com/lanyardhq/lanyard/internal/source"
)

// Docker is a Docker engine on this machine that runs workspaces.
type Docker struct {
	Socket string // path; empty: where engines of a distribution listen
	Image  string // for workspaces that name none; empty: Lanyard's choice
}

// runtimes reads what runs workspaces: exactly one.
func (p *parser) runtimes(m source.Mapping) {
	const how = "write runtimes: {docker: {}}, or for trusted people only runtimes: {sandbox: {trusted_users_only: true}}"
	e, ok := m.Find("runtimes")
	if !ok {
		m.Report("`runtimes` is missing; %s", how)
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	inner.Keys([]string{"docker", "sandbox"}, map[string]string{"kube": ""})
	docker, isDocker := inner.Find("docker")
	sandbox, isSandbox := inner.Find("sandbox")
	switch {
	case isDocker && isSandbox:
		sandbox.At.Report("a server has one runtime; name `docker` or `sandbox`, not both")
	case isDocker:
		p.docker(docker.Value)
	case isSandbox:
		p.sandbox(sandbox)
	default:
		e.At.Report("no runtime is named; %s", how)
	}
}

func (p *parser) docker(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"socket", "image"}, nil)
	d := &Docker{}
	if e, ok := m.Find("socket"); ok {
		if d.Socket, ok = e.Value.Text(); ok && !filepath.IsAbs(d.Socket) {
			e.Value.Report("the socket of the Docker engine is an absolute path, such as /run/docker.sock; engines on other machines are not supported")
		}
	}
	if e, ok := m.Find("image"); ok {
		d.Image, _ = e.Value.Text()
	}
	p.config.Docker = d
}

func (p *parser) sandbox(e source.Entry) {
	m, ok := e.Value.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"trusted_users_only"}, nil)
	if t, ok := m.Find("trusted_users_only"); ok {
		if p.config.Sandbox, ok = t.Value.Bool(); !ok {
			return
		}
	}
	if !p.config.Sandbox {
		e.At.Report("the sandbox shares the machine's kernel with everybody on it; for trusted people only, write runtimes: {sandbox: {trusted_users_only: true}}")
	}
}
