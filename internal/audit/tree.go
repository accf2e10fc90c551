package audit

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the right edge of a Merkle tree: the roots of its complete subtrees, largest first. That is all that
// appending and hashing the whole need.
type tree struct {
	size int64
	edge []tlog.Hash
}

// append adds a leaf and returns the stored hashes that it completes: its own, then one for each subtree that it closes.
func (t *tree) append(leaf tlog.Hash) []StoredHash {
	n, level := t.size, 0
	made := []StoredHash{{tlog.StoredHashIndex(0, n), leaf}}
	for ; n&1 == 1; n >>= 1 {
		last := len(t.edge) - 1
		leaf = tlog.NodeHash(t.edge[last], leaf)
		t.edge = t.edge[:last]
		level++
		made = append(made, StoredHash{tlog.StoredHashIndex(level, n>>1), leaf})
	}
	t.edge = append(t.edge, leaf)
	t.size++
	return made
}

// root is the hash of the whole tree. That of the empty tree is the hash of nothing (RFC 6962).
func (t *tree) root() tlog.Hash {
	if len(t.edge) == 0 {
		root, _ := tlog.TreeHash(0, nil) // reads nothing, so it cannot fail
		return root
	}
	hash := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		hash = tlog.NodeHash(t.edge[i], hash)
	}
	return hash
}

// clone is a copy that goes its own way.
func (t *tree) clone() tree {
	return tree{t.size, append([]tlog.Hash(nil), t.edge...)}
}

// edgeIndexes returns where the edge of a tree of this size is stored, largest subtree first.
func edgeIndexes(size int64) []int64 {
	var indexes []int64
	start := int64(0)
	for level := 62; level >= 0; level-- {
		if size&(1<<level) != 0 {
			indexes = append(indexes, tlog.StoredHashIndex(level, start>>level))
			start += 1 << level
		}
	}
	return indexes
}

// treeOf makes the tree of a size from its stored edge, in any order.
func treeOf(size int64, stored []StoredHash) (tree, error) {
	byIndex := make(map[int64]tlog.Hash, len(stored))
	for _, h := range stored {
		byIndex[h.Index] = h.Hash
	}
	t := tree{size: size}
	for _, i := range edgeIndexes(size) {
		h, ok := byIndex[i]
		if !ok {
			return tree{}, fmt.Errorf("stored hash %d is missing", i)
		}
		t.edge = append(t.edge, h)
	}
	return t, nil
}
