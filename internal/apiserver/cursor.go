package apiserver

import (
	"container/heap"
	"encoding/base64"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// pageFrom is pageOf for lists that are long: of all items only the page's own are kept, and only those are shown.
func pageFrom[T, X any](r *http.Request, items iter.Seq[T], key func(T) string, show func(T) X) (page api.Page[X], err error) {
	n, err := limit(r)
	if err != nil {
		return page, err
	}
	after, err := base64.RawURLEncoding.Strict().DecodeString(r.URL.Query().Get("cursor"))
	if err != nil {
		return page, problem.New(problem.Invalid, "The cursor is not one that this list gave.")
	}
	kept := make(firstKeys[T], 0, n+2)
	for item := range items {
		k := key(item)
		if k <= string(after) || len(kept) > n && k >= kept[0].key {
			continue
		}
		heap.Push(&kept, keyed[T]{k, item})
		if len(kept) > n+1 {
			heap.Pop(&kept)
		}
	}
	slices.SortFunc(kept, func(a, b keyed[T]) int { return strings.Compare(a.key, b.key) })
	if len(kept) > n {
		kept = kept[:n]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(kept[n-1].key))
	}
	page.Items = make([]X, len(kept))
	for i, k := range kept {
		page.Items[i] = show(k.item)
	}
	return page, nil
}

type keyed[T any] struct {
	key  string
	item T
}

// firstKeys is a heap with the last key on top.
type firstKeys[T any] []keyed[T]

func (h firstKeys[T]) Len() int           { return len(h) }
func (h firstKeys[T]) Less(i, j int) bool { return h[i].key > h[j].key }
func (h firstKeys[T]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *firstKeys[T]) Push(x any)        { *h = append(*h, x.(keyed[T])) }
func (h *firstKeys[T]) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
