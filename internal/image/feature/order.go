package feature

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// wanted is a feature that is to be there, by the file or for another one.
type wanted struct {
	ref     string
	options map[string]string
}

// node is a feature with what it needs.
type node struct {
	*found
	needs []*node // dependsOn
}

// collect fetches the features and, after them, what they need. The same feature with the same options is there once.
func (i *Installer) collect(ctx context.Context, o Order, progress func(string)) ([]*node, error) {
	lock, err := locked(o.Lock)
	if err != nil {
		return nil, err
	}
	c := collector{fetched: map[string]*found{}, get: func(ref string) (*found, error) {
		if strings.HasPrefix(ref, "./") {
			return o.local(ctx, ref)
		}
		progress("fetching the feature " + ref)
		return i.fetch(ctx, ref, lock)
	}}
	for _, f := range o.Features {
		if _, err := c.add(wanted{f.Ref, f.Options}, nil); err != nil {
			return nil, err
		}
	}
	return c.nodes, nil
}

type collector struct {
	get     func(ref string) (*found, error)
	fetched map[string]*found
	bytes   int // of all that was fetched: it is kept
	nodes   []*node
}

// add adds a feature and what it needs; above are those that need it.
func (c *collector) add(w wanted, above []*node) (*node, error) {
	f, ok := c.fetched[w.ref]
	if !ok {
		if len(c.fetched) >= maxAll {
			return nil, problem.New(problem.TooLarge, "The workspace has more than %d features, those that others need among them.", maxAll)
		}
		var err error
		if f, err = c.get(w.ref); err != nil {
			return nil, err
		}
		for _, file := range f.files {
			c.bytes += len(file.data)
		}
		if c.bytes > maxContext {
			return nil, errTogether()
		}
		c.fetched[w.ref] = f
	}
	for _, n := range above {
		if n.content == f.content && maps.Equal(n.options, w.options) {
			return nil, problem.New(problem.Invalid, "The features %s and %s need each other.", above[len(above)-1].ref, n.ref)
		}
	}
	for _, n := range c.nodes {
		if n.content == f.content && maps.Equal(n.options, w.options) {
			return n, nil
		}
	}
	mine := *f
	mine.options = w.options
	n := &node{found: &mine}
	if len(c.nodes)+len(above) >= maxAll {
		return nil, problem.New(problem.TooLarge, "The workspace has more than %d features, those that others need among them.", maxAll)
	}
	for _, ref := range slices.Sorted(maps.Keys(f.DependsOn)) {
		if strings.HasPrefix(ref, ".") {
			return nil, problem.New(problem.Invalid, "The feature %s needs %s, a folder; features need those of registries.", w.ref, ref)
		}
		need, err := c.add(wanted{ref, needs(f.DependsOn[ref])}, append(slices.Clone(above), n))
		if err != nil {
			return nil, err
		}
		n.needs = append(n.needs, need)
	}
	c.nodes = append(c.nodes, n)
	return n, nil
}

// install orders features by rounds (https://containers.dev/implementors/features/#round-based-sorting): each round installs
// those of which all that they need, or come after, is there; among these the ones that the file wants first.
func install(all []*node, first []string) ([]*node, error) {
	var done []*node
	left := slices.Clone(all)
	for len(left) > 0 {
		var round []*node
		best := 0
		for _, n := range left {
			if !n.ready(left) {
				continue
			}
			p := n.priority(first)
			if p > best {
				best, round = p, nil
			}
			if p == best {
				round = append(round, n)
			}
		}
		if len(round) == 0 {
			return nil, problem.New(problem.Invalid, "The features %s want to come after each other.", names(left))
		}
		slices.SortStableFunc(round, compare)
		done = append(done, round...)
		left = slices.DeleteFunc(left, func(n *node) bool { return slices.Contains(round, n) })
	}
	return done, nil
}

// ready reports whether nothing that n waits for is left.
func (n *node) ready(left []*node) bool {
	for _, other := range left {
		if other == n {
			continue
		}
		if slices.Contains(n.needs, other) || slices.ContainsFunc(n.InstallsAfter, other.called) {
			return false
		}
	}
	return true
}

// called reports whether a name in installsAfter or overrideFeatureInstallOrder, with or without a version, means f.
func (f *found) called(ref string) bool {
	bare := ref
	if at := strings.LastIndexAny(ref, ":@"); at > strings.LastIndex(ref, "/") {
		bare = ref[:at]
	}
	if strings.EqualFold(bare, f.name) {
		return true
	}
	folder := f.name[:strings.LastIndex(f.name, "/")+1]
	return slices.ContainsFunc(f.LegacyIDs, func(id string) bool { return strings.EqualFold(bare, folder+id) })
}

// priority is higher the earlier the file names n.
func (n *node) priority(first []string) int {
	for i, ref := range first {
		if n.called(ref) {
			return len(first) - i
		}
	}
	return 0
}

// compare makes the order of a round the same at every build.
func compare(a, b *node) int {
	return cmp.Or(
		strings.Compare(a.name, b.name), strings.Compare(a.version, b.version), len(b.options)-len(a.options),
		slices.Compare(flat(a.options), flat(b.options)), strings.Compare(a.content, b.content),
	)
}

func flat(options map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(options)) {
		out = append(out, key, options[key])
	}
	return out
}

func names(nodes []*node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.ref)
	}
	return strings.Join(out, ", ")
}
