package registration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Step is one change to the tenant, or to a file here.
type Step struct {
	What    string   `json:"what"` // the object: "app registration", "permission" and the like
	Says    string   `json:"says"` // what will be done
	Details []string `json:"details,omitempty"`

	request *request
	local   func(context.Context) error // instead of a request
	shell   []string                    // commands that do what local does
	// consent says that it takes more than other steps, and that somebody else may do it.
	consent bool
}

// request is a change through Microsoft Graph. In path and body {{name}} stands for what is known when it is sent, and {{}}
// for two braces: what is not of our own making goes through theirs.
type request struct {
	method, path string
	body         any
	// keeps are placeholders, by the field of the answer that fills them ("a.b" is a field of a field).
	keeps map[string]string
	// makes is the name under which the object is noted while it is new; empty: it makes none that is waited for.
	makes string
	// at is the collection that holds the object, where that is not path.
	at string
}

// Plan is what differs between the tenant and what is wanted.
type Plan struct {
	Tenant   Tenant   `json:"tenant"`
	As       string   `json:"as,omitempty"`        // who carries it out, where that is known
	ClientID string   `json:"client_id,omitempty"` // once there is one
	Steps    []Step   `json:"steps"`
	Notes    []string `json:"notes,omitempty"` // what is not as expected, and is left as it is

	values map[string]string
}

var placeholder = regexp.MustCompile(`\{\{([a-z0-9-]*)\}\}`)

// braces are two braces that begin no placeholder.
const braces = "{{}}"

// theirs is a text of somebody else's, in which nothing is a placeholder.
func theirs(text string) string { return strings.ReplaceAll(text, "{{", braces) }

func allTheirs(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = theirs(text)
	}
	return out
}

// theirsRaw is the same for JSON, in which two braces together stand in texts only.
func theirsRaw(raw json.RawMessage) json.RawMessage {
	return bytes.ReplaceAll(raw, []byte("{{"), []byte(braces))
}

// filled puts what is known into a text.
func (s *Setup) filled(text string) (string, error) {
	var missing string
	out := placeholder.ReplaceAllStringFunc(text, func(match string) string {
		if match == braces {
			return "{{"
		}
		value := s.values[match[2:len(match)-2]]
		if value == "" {
			missing = match
		}
		return value
	})
	if missing != "" {
		return "", fmt.Errorf("a request refers to %s, which is not known yet", missing)
	}
	return out, nil
}

// print tells a step from others.
func (st Step) print() [32]byte {
	text := st.What + "\n" + st.Says
	if st.request != nil {
		body, _ := json.Marshal(st.request.body) // of our own making
		text = st.request.method + " " + st.request.path + "\n" + string(body)
	}
	return sha256.Sum256([]byte(text))
}
