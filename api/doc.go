// Package api holds the wire types of Lanyard's HTTP API and a small client of it. It is the only package of
// Lanyard that other programs may import.
//
// Everything lies under /api/v1 on the pages site; /api/openapi.json describes it. Times are RFC 3339, IDs stand as
// Lanyard prints them (u-…, s-…, l-…, w-…), an error is a problem document (RFC 9457). Lists are paged: a page
// that is not the last carries Next, and a request that gives it as `cursor` gets the page after.
package api

// Page is one page of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Give this as cursor to get the next page; absent on the last one."`
}
