package apiserver

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	defaultLimit = 100
	maxLimit     = 500
)

// limit reads how many items are wanted.
func limit(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, problem.New(problem.Invalid, "limit must be a number from 1 to %d.", maxLimit)
	}
	return n, nil
}

// pageOf sorts items by key and cuts the page that the request asks for. A cursor is the last key of the page
// before, so it stays right when items come and go between the pages.
func pageOf[T any](r *http.Request, items []T, key func(T) string) (api.Page[T], error) {
	n, err := limit(r)
	if err != nil {
		return api.Page[T]{}, err
	}
	slices.SortFunc(items, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		last, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		if err != nil {
			return api.Page[T]{}, problem.New(problem.Invalid, "The cursor is not one that this list gave.")
		}
		from, found := slices.BinarySearchFunc(items, string(last), func(item T, k string) int { return strings.Compare(key(item), k) })
		if found {
			from++
		}
		items = items[from:]
	}
	page := api.Page[T]{Items: items}
	if len(items) > n {
		page.Items = items[:n]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(key(items[n-1])))
	}
	if page.Items == nil {
		page.Items = []T{}
	}
	return page, nil
}
