package directory

import (
	"hash/maphash"
	"iter"
	"slices"
)

// trie is a persistent hash map: copying the struct takes a snapshot, and a later set or delete copies only the
// path to what it changes. Two versions of one trie share what is equal in them, so their difference is found
// without looking at the rest. The zero trie is empty.
type trie[K comparable, V any] struct {
	root *node[K, V]
	size int
}

// edit is one series of changes. A node made by it is nobody else's yet and may be changed in place.
type edit struct{ _ byte } // not of size zero, so that every edit has an address of its own

// node is a branch when kids is set, otherwise a bucket of a few items.
type node[K comparable, V any] struct {
	by    *edit
	kids  *[fan]*node[K, V]
	items []item[K, V]
}

type item[K comparable, V any] struct {
	value V // first: a value without size takes no room there
	hash  uint64
	key   K
}

const (
	fanBits = 5
	fan     = 1 << fanBits
	bucket  = 8  // a bucket that grows larger becomes a branch, while there are hash bits left
	setSize = 96 // likewise of sets, whose items are small: most groups are one bucket
)

// seed is the same for all tries of the process, or versions could not be compared.
var seed = maphash.MakeSeed()

func hashOf[K comparable](k K) uint64 { return maphash.Comparable(seed, k) }

func (t trie[K, V]) get(k K) (V, bool) {
	h := hashOf(k)
	n := t.root
	for shift := 0; n != nil; shift += fanBits {
		if n.kids == nil {
			for i := range n.items {
				if n.items[i].hash == h && n.items[i].key == k {
					return n.items[i].value, true
				}
			}
			break
		}
		n = n.kids[slot(h, shift)]
	}
	var none V
	return none, false
}

func (t trie[K, V]) has(k K) bool {
	_, ok := t.get(k)
	return ok
}

func (t *trie[K, V]) set(by *edit, k K, v V) {
	var added bool
	t.root, added = t.root.set(by, item[K, V]{v, hashOf(k), k}, 0)
	if added {
		t.size++
	}
}

func (t *trie[K, V]) delete(by *edit, k K) {
	if !t.has(k) {
		return
	}
	t.root = t.root.delete(by, hashOf(k), k, 0)
	t.size--
}

// filled is a trie of items with keys that differ.
func filled[K comparable, V any](by *edit, items []item[K, V]) trie[K, V] {
	if len(items) == 0 {
		return trie[K, V]{}
	}
	return trie[K, V]{root: nodeOf(by, items, 0), size: len(items)}
}

func nodeOf[K comparable, V any](by *edit, items []item[K, V], shift int) *node[K, V] {
	if len(items) <= bucketOf[V]() || shift+fanBits >= 64 {
		return &node[K, V]{by: by, items: slices.Clone(items)}
	}
	var sizes [fan]int
	for i := range items {
		sizes[slot(items[i].hash, shift)]++
	}
	var parts [fan][]item[K, V]
	rest := make([]item[K, V], len(items))
	for i, size := range sizes {
		parts[i], rest = rest[:0:size], rest[size:]
	}
	for _, it := range items {
		i := slot(it.hash, shift)
		parts[i] = append(parts[i], it)
	}
	n := &node[K, V]{by: by, kids: new([fan]*node[K, V])}
	for i, part := range parts {
		if len(part) > 0 {
			n.kids[i] = nodeOf(by, part, shift+fanBits)
		}
	}
	return n
}

// all yields every item, in no particular order.
func (t trie[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { t.root.walk(yield) }
}

func slot(h uint64, shift int) int { return int(h>>shift) & (fan - 1) }

// own returns n, or a copy of it, that this edit may change.
func (n *node[K, V]) own(by *edit) *node[K, V] {
	if n.by == by {
		return n
	}
	c := &node[K, V]{by: by}
	if n.kids != nil {
		kids := *n.kids
		c.kids = &kids
	} else {
		c.items = append(make([]item[K, V], 0, len(n.items)+1), n.items...)
	}
	return c
}

func (n *node[K, V]) set(by *edit, it item[K, V], shift int) (_ *node[K, V], added bool) {
	if n == nil {
		return &node[K, V]{by: by, items: []item[K, V]{it}}, true
	}
	n = n.own(by)
	if n.kids != nil {
		kid := &n.kids[slot(it.hash, shift)]
		*kid, added = (*kid).set(by, it, shift+fanBits)
		return n, added
	}
	for i := range n.items {
		if n.items[i].hash == it.hash && n.items[i].key == it.key {
			n.items[i].value = it.value
			return n, false
		}
	}
	n.items = append(n.items, it)
	if len(n.items) > bucketOf[V]() && shift+fanBits < 64 {
		n.split(by, shift)
	}
	return n, true
}

func bucketOf[V any]() int {
	var v V
	if _, set := any(v).(struct{}); set {
		return setSize
	}
	return bucket
}

func (n *node[K, V]) split(by *edit, shift int) {
	n.kids = new([fan]*node[K, V])
	for _, it := range n.items {
		kid := &n.kids[slot(it.hash, shift)]
		if *kid == nil {
			*kid = &node[K, V]{by: by}
		}
		(*kid).items = append((*kid).items, it)
	}
	n.items = nil
}

// delete removes a key that is there. What is left empty becomes nil.
func (n *node[K, V]) delete(by *edit, h uint64, k K, shift int) *node[K, V] {
	n = n.own(by)
	if n.kids == nil {
		for i := range n.items {
			if n.items[i].hash == h && n.items[i].key == k {
				last := len(n.items) - 1
				n.items[i] = n.items[last]
				n.items[last] = item[K, V]{}
				n.items = n.items[:last]
				break
			}
		}
		if len(n.items) == 0 {
			return nil
		}
		return n
	}
	i := slot(h, shift)
	n.kids[i] = n.kids[i].delete(by, h, k, shift+fanBits)
	for _, kid := range n.kids {
		if kid != nil {
			return n
		}
	}
	return nil
}

func (n *node[K, V]) walk(yield func(K, V) bool) bool {
	if n == nil {
		return true
	}
	for i := range n.items {
		if !yield(n.items[i].key, n.items[i].value) {
			return false
		}
	}
	if n.kids != nil {
		for _, kid := range n.kids {
			if !kid.walk(yield) {
				return false
			}
		}
	}
	return true
}

// compare reports every key that is not the same in both; old or new is nil where there is none. Values may be
// reported that are equal.
func compare[K comparable, V any](old, new trie[K, V], report func(k K, old, new *V)) {
	compareNodes(old.root, new.root, report)
}

func compareNodes[K comparable, V any](old, new *node[K, V], report func(k K, old, new *V)) {
	if old == new {
		return
	}
	if old != nil && new != nil && old.kids != nil && new.kids != nil {
		for i := range fan {
			compareNodes(old.kids[i], new.kids[i], report)
		}
		return
	}
	was := map[K]*V{}
	old.walk(func(k K, v V) bool { was[k] = &v; return true })
	new.walk(func(k K, v V) bool {
		report(k, was[k], &v)
		delete(was, k)
		return true
	})
	for k, v := range was {
		report(k, v, nil)
	}
}
