package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// Types of error (RFC 7644 §3.12, table 9).
const (
	InvalidFilter = "invalidFilter"
	TooMany       = "tooMany"
	Uniqueness    = "uniqueness"
	Mutability    = "mutability"
	InvalidSyntax = "invalidSyntax"
	InvalidPath   = "invalidPath"
	NoTarget      = "noTarget"
	InvalidValue  = "invalidValue"
)

// Error is what a client is told, and how it stands on the wire (RFC 7644 §3.12).
type Error struct {
	Status   int    // of HTTP
	ScimType string // may be empty
	Detail   string // what is wrong and what to send instead; a person at the tenant reads it
}

func (e *Error) Error() string { return e.Detail }

// MarshalJSON writes the status as a string, as the RFC has it.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Schemas  []string `json:"schemas"`
		Status   string   `json:"status"`
		ScimType string   `json:"scimType,omitempty"`
		Detail   string   `json:"detail,omitempty"`
	}{[]string{errorURN}, strconv.Itoa(e.Status), e.ScimType, e.Detail})
}

func bad(scimType, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, ScimType: scimType, Detail: fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf(format, args...)}
}

// List is an answer with several resources (RFC 7644 §3.4.2).
type List struct {
	Total     int // of all pages
	Start     int // 1-based
	Resources []Resource
}

// MarshalJSON adds the schema and the page's size; Resources is never null.
func (l List) MarshalJSON() ([]byte, error) {
	if l.Resources == nil {
		l.Resources = []Resource{}
	}
	return json.Marshal(struct {
		Schemas   []string   `json:"schemas"`
		Total     int        `json:"totalResults"`
		Size      int        `json:"itemsPerPage"`
		Start     int        `json:"startIndex"`
		Resources []Resource `json:"Resources"`
	}{[]string{listURN}, l.Total, len(l.Resources), max(l.Start, 1), l.Resources})
}
