package devfile

import (
	"slices"
	"strconv"
	"strings"
)

var (
	taskKeys  = []string{"name", "before", "init", "prebuild", "command", "env", "openIn", "openMode"}
	openIn    = []string{"bottom", "main", "left", "right"}
	openModes = []string{"split-left", "split-right", "split-top", "split-bottom", "tab-before", "tab-after"}
	portKeys  = []string{"port", "onOpen", "visibility", "name", "description", "protocol"}
)

func (r *reader) gitpodTasks(p *Plan, e entry) {
	for _, item := range r.list(e.key, e.value) {
		task := Task{At: item.at}
		for _, k := range r.object(e.key, item) {
			name := "tasks." + k.key
			switch k.key {
			case "name":
				task.Name = r.words(name, k.value)
			case "before":
				task.Before = r.text(name, k.value)
			case "init":
				task.Init = r.text(name, k.value)
			case "command":
				task.Command = r.text(name, k.value)
			case "prebuild":
				r.text(name, k.value)
				r.note(name, k.at, "is not run; what a prebuild is to do belongs into `init`")
			case "env":
				task.Env = r.taskEnv(name, k.value)
			case "openIn":
				task.OpenIn = r.oneOf(name, k.value, openIn)
			case "openMode":
				task.OpenMode = r.oneOf(name, k.value, openModes)
			default:
				r.unknown(k, "tasks.", taskKeys)
			}
		}
		p.Tasks = append(p.Tasks, task)
	}
}

// taskEnv reads the variables of a task. Gitpod takes any value, and gives what is no text as JSON.
func (r *reader) taskEnv(key string, n node) map[string]string {
	flat := n
	flat.entries = nil
	for _, e := range n.entries {
		if e.value.kind == list || e.value.kind == object {
			e.value = node{kind: text, text: e.value.json(), at: e.value.at}
		}
		flat.entries = append(flat.entries, e)
	}
	return r.env(key, flat)
}

// oneOf reads a word of a few. Another one is noted: it is about appearance.
func (r *reader) oneOf(key string, n node, words []string) string {
	s := r.text(key, n)
	if s != "" && !slices.Contains(words, s) {
		r.note(key, n.at, "%q has no effect; it is one of %s", s, strings.Join(words, ", "))
		return ""
	}
	return s
}

// gitpodOpens maps what Gitpod does with a port to a devcontainer's words.
var gitpodOpens = map[string]string{
	"open-browser": "openBrowser", "open-preview": "openPreview", "notify": "notify", "ignore": "silent", "ignore-completely": "ignore",
}

func (r *reader) gitpodPorts(p *Plan, e entry) {
	for _, item := range r.list(e.key, e.value) {
		port := Port{At: item.at}
		for _, k := range r.object(e.key, item) {
			name := "ports." + k.key
			switch k.key {
			case "port":
				port.First, port.Last = r.portRange(name, k.value)
			case "onOpen":
				port.OnOpen = gitpodOpens[r.oneOf(name, k.value, known(gitpodOpens))]
			case "visibility":
				if port.Public = r.oneOf(name, k.value, []string{"private", "public"}) == "public"; port.Public {
					r.note(name, k.at, "has no effect: a port is its owner's alone, whatever a file says")
				}
			case "name":
				port.Name = r.words(name, k.value)
			case "description":
				port.Description = r.words(name, k.value)
			case "protocol":
				port.Protocol = strings.ToLower(r.oneOf(name, k.value, []string{"http", "https", "TCP", "UDP", "tcp", "udp"}))
				if port.Protocol == "tcp" || port.Protocol == "udp" {
					r.note(name, k.at, "has no effect: a port is opened in a browser")
					port.Protocol = ""
				}
			default:
				r.unknown(k, "ports.", portKeys)
			}
		}
		if _, ok := item.find("port"); !ok && item.kind == object {
			r.report(item.at, "`ports`: `port` is missing")
		}
		if port.First > 0 {
			p.Ports = append(p.Ports, port)
		}
	}
}

// portRange reads a port, or first-last.
func (r *reader) portRange(key string, n node) (first, last int) {
	first, last, ok := portsOf(n.text)
	if n.kind != number && n.kind != text || !ok {
		r.report(n.at, "`%s`: a port is a number from 1 to 65535, or a range such as 3000-3999", key)
		return 0, 0
	}
	return first, last
}

func portsOf(s string) (first, last int, ok bool) {
	a, b, isRange := strings.Cut(strings.Replace(s, ":", "-", 1), "-")
	first, err := strconv.Atoi(a)
	last = first
	if isRange && err == nil {
		last, err = strconv.Atoi(b)
	}
	return first, last, err == nil && first >= 1 && first <= last && last <= 65535
}
