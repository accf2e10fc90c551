package devfile

import (
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/lanyardhq/lanyard/internal/jsonc"
	"github.com/lanyardhq/lanyard/internal/source"
)

// mostNodes bounds what the aliases of a file may grow to, and deepest how far values nest, as in JSON.
const (
	mostNodes = 100_000
	deepest   = jsonc.Deepest
)

// yamlTree reads one YAML document. Anchors, aliases and merge keys are followed, as Gitpod follows them; how much they
// may grow to is bounded.
func (r *reader) yamlTree(content string) (node, bool) {
	loader, err := yaml.NewLoader(strings.NewReader(content), yaml.WithUniqueKeys(false)) // keysOnce says so with both places
	if err != nil {
		r.report(Place{}, "cannot be read as YAML: %v", err)
		return node{}, false
	}
	var root yaml.Node
	if err := loader.Load(&root); errors.Is(err, io.EOF) {
		return node{kind: object}, true
	} else if err != nil {
		r.yamlError(err)
		return node{}, false
	}
	var more yaml.Node
	if err := loader.Load(&more); err == nil {
		r.report(Place{more.Line, more.Column}, "a second YAML document begins here; one is read")
		return node{}, false
	} else if !errors.Is(err, io.EOF) {
		r.yamlError(err)
		return node{}, false
	}
	g := grower{r: r}
	n := g.node(&root, 0)
	return n, !g.stopped
}

func (r *reader) yamlError(err error) {
	var one *yaml.LoadError
	if errors.As(err, &one) {
		r.report(Place{one.Mark.Line, one.Mark.Column}, "not valid YAML: %s", one.Message)
		return
	}
	r.report(Place{}, "not valid YAML: %v", err)
}

// grower turns YAML's nodes into ours.
type grower struct {
	r       *reader
	nodes   int
	stopped bool
}

func (g *grower) node(y *yaml.Node, depth int) node {
	at := Place{y.Line, y.Column}
	g.nodes++
	if g.stopped {
		return node{}
	}
	if g.nodes > mostNodes || depth > deepest {
		g.stopped = true
		g.r.report(at, "the file's values nest or repeat too much")
		return node{}
	}
	switch y.Kind {
	case yaml.DocumentNode:
		if len(y.Content) == 1 {
			return g.node(y.Content[0], depth)
		}
		return node{kind: object, at: at}
	case yaml.AliasNode:
		if y.Alias == nil {
			return node{at: at}
		}
		n := g.node(y.Alias, depth+1)
		n.at = at // what is wrong is wrong where it is used
		return n
	case yaml.SequenceNode:
		n := node{kind: list, at: at}
		for _, c := range y.Content {
			n.items = append(n.items, g.node(c, depth+1))
		}
		return n
	case yaml.MappingNode:
		return g.mapping(y, depth)
	}
	n := node{kind: text, text: y.Value, at: at}
	switch y.ShortTag() {
	case "!!null":
		n.kind, n.text = null, ""
	case "!!bool":
		n.kind, n.text = boolean, strings.ToLower(y.Value)
	case "!!int", "!!float":
		n.kind = number
	}
	return n
}

func (g *grower) mapping(y *yaml.Node, depth int) node {
	n := node{kind: object, at: Place{y.Line, y.Column}}
	var merged []entry
	seen := make(map[string]int, len(y.Content)/2) // the line of each key
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, value := y.Content[i], g.node(y.Content[i+1], depth+1)
		at := Place{k.Line, k.Column}
		switch line, twice := seen[k.Value]; {
		case k.Kind == yaml.AliasNode || k.Kind != yaml.ScalarNode:
			g.r.report(at, "a key must be a word")
		case k.ShortTag() == "!!merge":
			merged = append(merged, value.entries...)
			for _, one := range value.items {
				merged = append(merged, one.entries...)
			}
		case twice:
			g.r.report(at, "`%s` stands here a second time; it is already on line %d", k.Value, line)
		default:
			seen[k.Value] = at.Line
			n.entries = append(n.entries, entry{key: k.Value, at: at, value: value})
		}
	}
	for _, e := range merged {
		if _, own := seen[e.key]; !own {
			seen[e.key] = e.at.Line
			n.entries = append(n.entries, e)
		}
	}
	return n
}

// begin refuses what no file of this kind is, and takes away a mark of its encoding.
func (r *reader) begin(content []byte) (string, bool) {
	if len(content) > source.MaxSize {
		r.report(Place{}, "the file is longer than %d KiB, which is the most that is read; what is long may stand in a script beside it", source.MaxSize>>10)
		return "", false
	}
	return strings.TrimPrefix(string(content), "\ufeff"), true
}
