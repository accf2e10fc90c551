package problem

import "errors"

// Help is what a person needs to have a refusal mended that another system decided: who can, how, and what to name to
// them. As a part of a problem document it is an extension (RFC 9457, 3.2).
type Help struct {
	Code        string `json:"code,omitempty"`           // the other system's own, such as AADSTS50105
	Who         string `json:"who_mends_it,omitempty"`   // "an Application Administrator of your organisation"
	Do          string `json:"what_to_do,omitempty"`     // sentences
	Correlation string `json:"correlation_id,omitempty"` // by which it is found in the other system's log
	Trace       string `json:"trace_id,omitempty"`       // of the one request there
	Time        string `json:"at,omitempty"`             // as the other system wrote it

	Again string `json:"-"` // where a person signs in again, and comes to where they wanted to go; for pages
	Other string `json:"-"` // the same with another account
}

func help(err error) *Help {
	var p *Error
	if errors.As(err, &p) {
		return p.Help
	}
	return nil
}

// Words are Message and, where another system refused, who can mend it and by what it is found there: for where there is
// room for a text alone.
func Words(err error) string {
	text, h := Message(err), help(err)
	if h == nil {
		return text
	}
	switch {
	case h.Do == "":
	case h.Who == "you":
		text += " You can mend this yourself. " + h.Do
	default:
		text += " This can be mended by " + h.Who + ". " + h.Do
	}
	ids := h.Code
	if h.Correlation != "" {
		if ids != "" {
			ids += ", "
		}
		ids += "correlation ID " + h.Correlation
	}
	if ids != "" {
		text += " (" + ids + ")"
	}
	return text
}
