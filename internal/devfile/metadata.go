package devfile

import (
	"maps"
	"slices"
)

// On adds to a plan what its image says of itself (the label devcontainer.metadata, JSON: a list of objects or one;
// https://containers.dev/implementors/spec/#merge-logic) and returns the sum; p stays as it is. The plan's own file says
// the last word, but for commands of its life, of which the image's come first. What an image wishes beyond what a
// workspace may have is not given, and noted. about is what Parse was given.
func (p *Plan) On(metadata string, about About) (*Plan, error) {
	if metadata == "" || IsGitpod(p.File) { // Gitpod reads no such label, and who writes its file expects none
		return p, nil
	}
	r := &reader{file: "devcontainer.metadata", lenient: true, from: "image: "}
	metadata, ok := r.begin([]byte(metadata))
	root := node{}
	if ok {
		root, ok = r.jsonTree(metadata)
	}
	items := []node{root}
	if root.kind == list {
		items = root.items
	}
	sum := &Plan{}
	for _, item := range items {
		if !ok {
			break
		}
		d := &devReader{reader: r, about: about, folder: "."}
		said := &Plan{}
		id, _ := item.find("id")
		d.read(said, d.substituted(item, p.Folder))
		said.Image, said.Features, said.FeatureOrder, said.Folder = Image{}, nil, nil, "" // an image is what it is
		for i := range said.Lifecycle {
			said.Lifecycle[i].From = id.value.text
			if said.Lifecycle[i].From == "" {
				said.Lifecycle[i].From = "image"
			}
		}
		sum = said.over(sum)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	sum = p.over(sum)
	sum.File, sum.Image = p.File, p.Image
	sum.Notes = slices.Concat(p.Notes, r.notes)
	return sum, nil
}

// over is p with what under says where p says nothing.
func (p *Plan) over(under *Plan) *Plan {
	sum := *p
	if p.User == "" {
		sum.User = under.User
	}
	if p.Probe == "" {
		sum.Probe = under.Probe
	}
	if p.WaitFor == "" {
		sum.WaitFor = under.WaitFor
	}
	sum.Env, sum.RemoteEnv = both(under.Env, p.Env), both(under.RemoteEnv, p.RemoteEnv)
	sum.Lifecycle = slices.Concat(under.Lifecycle, p.Lifecycle)
	slices.SortStableFunc(sum.Lifecycle, func(a, b Step) int { return stageOrder(a.Stage) - stageOrder(b.Stage) })
	sum.Ports = slices.Clone(p.Ports)
	for _, port := range under.Ports {
		if !slices.ContainsFunc(p.Ports, func(own Port) bool { return own.First <= port.First && port.Last <= own.Last }) {
			sum.Ports = append(sum.Ports, port)
		}
	}
	if p.OtherPorts == (Port{}) {
		sum.OtherPorts = under.OtherPorts
	}
	sum.Volumes = slices.Clone(p.Volumes)
	for _, v := range under.Volumes {
		if !slices.ContainsFunc(p.Volumes, func(own Volume) bool { return own.Target == v.Target }) {
			sum.Volumes = append(sum.Volumes, v)
		}
	}
	sum.Extensions = slices.Clone(under.Extensions)
	for _, id := range p.Extensions {
		if !slices.Contains(sum.Extensions, id) {
			sum.Extensions = append(sum.Extensions, id)
		}
	}
	sum.Needs = Needs{
		CPUs: max(p.Needs.CPUs, under.Needs.CPUs), Memory: max(p.Needs.Memory, under.Needs.Memory),
		Storage: max(p.Needs.Storage, under.Needs.Storage), GPU: p.Needs.GPU || under.Needs.GPU,
	}
	return &sum
}

func both(under, over map[string]string) map[string]string {
	if len(under) == 0 {
		return over
	}
	sum := maps.Clone(under)
	maps.Copy(sum, over)
	return sum
}
