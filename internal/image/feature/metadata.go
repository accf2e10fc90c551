package feature

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/lanyardhq/lanyard/internal/jsonc"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// description is devcontainer-feature.json (https://containers.dev/implementors/features/#devcontainer-feature-json-properties).
type description struct {
	ID            string                     `json:"id"`
	Version       string                     `json:"version"`
	Options       map[string]option          `json:"options"`
	DependsOn     map[string]json.RawMessage `json:"dependsOn"`
	InstallsAfter []string                   `json:"installsAfter"`
	LegacyIDs     []string                   `json:"legacyIds"`
	ContainerEnv  map[string]string          `json:"containerEnv"`
	Privileged    bool                       `json:"privileged"`
	CapAdd        []string                   `json:"capAdd"`
	SecurityOpt   []string                   `json:"securityOpt"`
	Mounts        []json.RawMessage          `json:"mounts"`
	all           map[string]json.RawMessage
}

type option struct {
	Default json.RawMessage `json:"default"`
}

// labelled are the properties that the label of an image keeps of a feature.
var labelled = []string{
	"init", "entrypoint", "mounts", "customizations", "capAdd", "securityOpt",
	"onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "postAttachCommand",
}

var featureID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func describe(ref string, text []byte) (description, error) {
	var d description
	text, err := jsonc.Standardize(text)
	if err == nil {
		err = json.Unmarshal(text, &d.all)
	}
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		return d, problem.Wrap(err, problem.Invalid, "The feature %s cannot be read: its devcontainer-feature.json is not what the specification says: %v.", ref, err)
	}
	if !featureID.MatchString(d.ID) {
		return d, problem.New(problem.Invalid, "The feature %s has no ID that could be one: %.80q.", ref, d.ID)
	}
	return d, d.refuse(ref)
}

// refuse names what a feature may not ask for. What debuggers ask for out of habit is not refused, and not given: they work
// on the workspace's own processes without it.
func (d description) refuse(ref string) error {
	no := func(key, why string) error {
		return problem.New(problem.Invalid, "The feature %s asks for `%s`, which is refused: %s. Remove the feature from devcontainer.json.", ref, key, why)
	}
	if d.Privileged {
		return no("privileged", "a workspace has no power over the machine that it runs on")
	}
	for _, c := range d.CapAdd {
		if c != "SYS_PTRACE" {
			return no("capAdd: "+c, "a workspace has no capabilities")
		}
	}
	for _, s := range d.SecurityOpt {
		if s != "seccomp=unconfined" {
			return no("securityOpt: "+s, "the confinement of a workspace is not a feature's to change")
		}
	}
	for _, m := range d.Mounts {
		kind, source := mountOf(m)
		if kind != "volume" {
			return no("mounts: "+source, "folders of the machine are not mounted")
		}
	}
	return nil
}

// mountOf reads either form of a mount.
func mountOf(raw json.RawMessage) (kind, source string) {
	var m struct{ Type, Source string }
	var text string
	if json.Unmarshal(raw, &text) != nil {
		_ = json.Unmarshal(raw, &m) // what it is not is no volume
		return m.Type, m.Source
	}
	m.Type = "volume"
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "type":
			m.Type = value
		case "source", "src":
			m.Source = value
		}
	}
	return m.Type, m.Source
}

// optionNames follow https://containers.dev/implementors/features/#option-resolution.
var (
	notInOption = regexp.MustCompile(`[^A-Za-z0-9_]`)
	digitsFirst = regexp.MustCompile(`^[0-9_]+`)
)

// variables are the options as install.sh sees them: its defaults, and what the file says.
func (d description) variables(given map[string]string) map[string]string {
	values := map[string]string{}
	for name, o := range d.Options {
		if s, ok := scalar(o.Default); ok {
			values[name] = s
		}
	}
	maps.Copy(values, given)
	out := map[string]string{}
	for name, value := range values {
		out[strings.ToUpper(digitsFirst.ReplaceAllString(notInOption.ReplaceAllString(name, "_"), "_"))] = value
	}
	return out
}

// scalar reads a text, boolean or number as text.
func scalar(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, string(raw) != "null"
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return "", false
	}
	switch v.(type) {
	case bool, float64:
		return fmt.Sprint(string(raw)), true
	}
	return "", false
}

// needs are the options of a feature that another one depends on.
func needs(raw json.RawMessage) map[string]string {
	if s, ok := scalar(raw); ok {
		if s == "true" || s == "" {
			return nil
		}
		return map[string]string{"version": s}
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return nil
	}
	out := map[string]string{}
	for name, value := range object {
		if s, ok := scalar(value); ok {
			out[name] = s
		}
	}
	return out
}

// label is what the image's label keeps of the feature.
func (d description) label(ref string) map[string]json.RawMessage {
	id, _ := json.Marshal(ref) // a text always marshals
	out := map[string]json.RawMessage{"id": id}
	for _, key := range labelled {
		if v, ok := d.all[key]; ok {
			out[key] = v
		}
	}
	return out
}
