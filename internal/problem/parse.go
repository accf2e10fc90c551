package problem

import "strings"

// Err makes an error of a problem document that was read: the inverse of DocumentOf, for programs that pass on what a
// server says. A type that is not known gives the kind that goes with the status.
func (d Document) Err() *Error {
	kind := KindOfStatus(d.Status)
	name := strings.TrimPrefix(d.Type, "urn:lanyard:problem:")
	for k := range kinds {
		if kinds[k].name == name {
			kind = Kind(k)
		}
	}
	text := d.Detail
	if text == "" {
		text = d.Title
	}
	return &Error{Kind: kind, Message: text, Next: d.Next, Help: d.Help}
}
