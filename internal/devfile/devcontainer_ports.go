package devfile

import (
	"slices"
	"strings"
)

// forwardPorts reads ports to have at hand: numbers, or host:port of which only this machine's are the workspace's.
func (d *devReader) forwardPorts(p *Plan, e entry) {
	for _, item := range d.list(e.key, e.value) {
		d.forward(p, e.key, item)
	}
}

// appPort reads the older form: a number, "published:inside", or a list of them.
func (d *devReader) appPort(p *Plan, e entry) {
	items := []node{e.value}
	if e.value.kind == list {
		items = e.value.items
	}
	for _, item := range items {
		if item.kind == null {
			continue
		}
		if _, inside, ok := strings.Cut(item.text, ":"); ok && item.kind == text {
			item.text = inside[strings.LastIndex(inside, ":")+1:]
		}
		d.forward(p, e.key, item)
	}
}

func (d *devReader) forward(p *Plan, key string, item node) {
	s := item.text
	if host, port, ok := strings.Cut(s, ":"); ok && item.kind == text {
		if host != "localhost" && host != "127.0.0.1" {
			d.note(key, item.at, "%q has no effect: the workspace is one container, and its ports are its own", s)
			return
		}
		s = port
	}
	first, last, ok := portsOf(s)
	if item.kind != number && item.kind != text || !ok || first != last {
		d.report(item.at, "`%s`: a port is a number from 1 to 65535", key)
		return
	}
	if !slices.ContainsFunc(p.Ports, func(have Port) bool { return have.First == first && have.Last == first }) {
		p.Ports = append(p.Ports, Port{First: first, Last: last, Forward: true, At: item.at})
	}
}

// portsAttributes reads what is said of ports, by number or range. Patterns of command lines are not matched.
func (d *devReader) portsAttributes(_ *Plan, e entry) {
	for _, k := range d.object(e.key, e.value) {
		name := e.key + "." + k.key
		first, last, ok := portsOf(strings.TrimPrefix(k.key, "localhost:"))
		if !ok {
			d.note(name, k.at, "has no effect: attributes are given for a port or a range such as 3000-3999")
			continue
		}
		port := d.attributesOf(name, k.value)
		port.First, port.Last, port.At = first, last, k.at
		d.attributes = append(d.attributes, port)
	}
}

func (d *devReader) otherPorts(p *Plan, e entry) { p.OtherPorts = d.attributesOf(e.key, e.value) }

var autoForward = []string{"notify", "openBrowser", "openBrowserOnce", "openPreview", "silent", "ignore"}

func (d *devReader) attributesOf(key string, n node) (port Port) {
	port.At = n.at
	for _, k := range d.object(key, n) {
		name := key + "." + k.key
		switch k.key {
		case "label":
			port.Name = d.text(name, k.value)
		case "protocol":
			port.Protocol = d.oneOf(name, k.value, []string{"http", "https"})
		case "onAutoForward":
			port.OnOpen = d.oneOf(name, k.value, autoForward)
			if port.OnOpen == "openBrowserOnce" {
				port.OnOpen = "openBrowser"
			}
		case "requireLocalPort":
			if port.RequireLocalPort = d.bool(name, k.value); port.RequireLocalPort {
				d.note(name, k.at, "has no effect: `lanyard port-forward` is told which port of your own machine to take")
			}
		case "elevateIfNeeded":
			if port.Elevate = d.bool(name, k.value); port.Elevate {
				d.note(name, k.at, "has no effect: nothing is given more rights for a port")
			}
		default:
			d.unknown(k, key+".", []string{"label", "protocol", "onAutoForward", "requireLocalPort", "elevateIfNeeded"})
		}
	}
	return port
}

// joinPorts gives each forwarded port what is said of it. What is said of others stands after them.
func (d *devReader) joinPorts(p *Plan) {
	for i, port := range p.Ports {
		for _, a := range d.attributes {
			if a.First <= port.First && port.First <= a.Last {
				a.First, a.Last, a.Forward, a.At = port.First, port.Last, true, port.At
				p.Ports[i] = a
				break
			}
		}
	}
	for _, a := range d.attributes {
		if !slices.ContainsFunc(p.Ports, func(have Port) bool { return have.First == a.First && have.Last == a.Last }) {
			p.Ports = append(p.Ports, a)
		}
	}
}
