package devfile

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// mount is one as the engine's --mount writes it.
type mount struct {
	kind, source, target string
	readOnly             bool
}

func (d *devReader) mountOf(s string) (m mount) {
	for part := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(key) {
		case "type":
			m.kind = value
		case "source", "src":
			m.source = value
		case "target", "dst", "destination":
			m.target = value
		case "readonly", "ro":
			m.readOnly = value != "false" && value != "0"
		}
	}
	return m
}

// mounts reads volumes. Folders of the machine are refused.
func (d *devReader) mounts(p *Plan, e entry) {
	for _, item := range d.list(e.key, e.value) {
		m := d.mountOf(item.text)
		if item.kind == object {
			m = mount{}
			for _, k := range item.entries {
				switch k.key {
				case "type":
					m.kind = d.text("mounts.type", k.value)
				case "source":
					m.source = d.text("mounts.source", k.value)
				case "target":
					m.target = d.text("mounts.target", k.value)
				default:
					d.unknown(k, "mounts.", []string{"type", "source", "target"})
				}
			}
		} else if item.kind != text {
			d.wrong(e.key, item, "a mount")
			continue
		}
		d.volume(p, item.at, m)
	}
}

func (d *devReader) volume(p *Plan, at Place, m mount) {
	switch m.kind {
	case "volume", "": // --mount's own default
	case "tmpfs":
		d.note("mounts", at, "%s: a memory file system is not mounted; /tmp is the workspace's own", m.target)
		return
	default:
		d.refuse("mounts", at, "%s of the machine is no folder of the workspace; volumes are (type=volume)", m.source)
		return
	}
	target := path.Clean(m.target)
	if !path.IsAbs(target) || !plain(target) || strings.ContainsAny(target, ":,$") {
		d.report(at, "`mounts`: the target %q is no absolute path", m.target)
		return
	}
	if rest, ok := strings.CutPrefix(target, d.mounted+"/"); ok && d.mounted != "" && !strings.HasPrefix(target, d.about.Checkout+"/") { // where the file believes the checkout to be
		target = path.Join(d.about.Checkout, rest)
	}
	if keptAnyway(target) {
		d.note("mounts", at, "%s has no effect: /workspace and the home of the workspace's user are kept over stops as they are", target)
		return
	}
	if reserved(target) {
		d.refuse("mounts", at, "%s is the workspace's own", target)
		return
	}
	for i, v := range p.Volumes {
		if v.Target == target {
			p.Volumes = append(p.Volumes[:i], p.Volumes[i+1:]...)
			break
		}
	}
	p.Volumes = append(p.Volumes, Volume{Name: volumeName(m), Target: target, ReadOnly: m.readOnly, At: at})
}

// reserved are places that a volume may not hide.
func reserved(target string) bool {
	for _, own := range []string{"/opt/lanyard", "/run", "/var/run", "/proc", "/sys", "/dev", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib"} {
		if target == own || strings.HasPrefix(target, own+"/") {
			return true
		}
	}
	switch target {
	case "/", "/home", "/opt", "/usr", "/var", "/tmp":
		return true
	}
	return keptAnyway(target)
}

// keptAnyway are places whose volume would be what is there without one.
func keptAnyway(target string) bool {
	return target == "/workspace" || target == "/root" || strings.HasPrefix(target, "/home/") && strings.Count(target, "/") == 2
}

var notInVolume = regexp.MustCompile(`[^a-z0-9]+`)

// volumeName makes a name of [a-z0-9-]{1,63} that differs where the file's differ. A volume is its workspace's alone, so
// nobody else's is met by a name.
func volumeName(m mount) string {
	from := m.source
	if from == "" {
		from = m.target
	}
	name := strings.Trim(notInVolume.ReplaceAllString(strings.ToLower(from), "-"), "-")
	if name == from && len(name) <= 63 {
		return name
	}
	sum := sha256.Sum256([]byte(from))
	return strings.Trim(name[:min(len(name), 50)]+"-"+hex.EncodeToString(sum[:])[:8], "-")
}

// needs reads what the file asks of the machine.
func (d *devReader) needs(p *Plan, e entry) {
	for _, k := range d.object(e.key, e.value) {
		name := e.key + "." + k.key
		switch k.key {
		case "cpus":
			p.Needs.CPUs = int(min(d.whole(name, k.value), 1<<20))
		case "memory":
			p.Needs.Memory = d.size(name, k.value)
		case "storage":
			p.Needs.Storage = d.size(name, k.value)
		case "gpu":
			p.Needs.GPU = d.gpu(name, k)
		default:
			d.unknown(k, e.key+".", []string{"cpus", "memory", "storage", "gpu"})
		}
	}
}

// gpu reads true, false, "optional" or what one is to have.
func (d *devReader) gpu(name string, k entry) bool {
	switch v := k.value; {
	case v.kind == object, v.kind == boolean && v.text == "true":
		d.note(name, k.at, "is not there: workspaces have no graphics processor")
		return true
	case v.kind == boolean, v.kind == null, v.kind == text && v.text == "optional":
	default:
		d.wrong(name, v, "true, false, \"optional\" or a mapping")
	}
	return false
}

var sizes = regexp.MustCompile(`^([0-9]{1,9})\s*([tgmk]?)b?$`)

// size reads 8gb: a number with tb, gb, mb or kb, powers of 1024.
func (d *devReader) size(key string, n node) int64 {
	m := sizes.FindStringSubmatch(strings.ToLower(d.words(key, n)))
	if m == nil {
		d.report(n.at, "`%s`: a size is a number with tb, gb, mb or kb, such as 8gb", key)
		return 0
	}
	bytes, _ := strconv.ParseInt(m[1], 10, 64)
	return bytes << (10 * strings.Index(" kmgt", m[2])) // at 0 where there is no unit
}
