package project

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	maxVariables = 32
	maxValue     = 4 << 10 // bytes
)

var (
	assignment   = shape(`^[^=/]*=`)
	variableName = shape(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// parseVariables reads KEY=VALUE,… of a context URL; the values are encoded as in a URL's query.
func parseVariables(s string) (map[string]string, error) {
	all := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !variableName().MatchString(name) {
			return nil, fmt.Errorf("%s is not the name of a variable: letters, digits and _, at most 128", quote(name))
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("the variable %s is there twice", name)
		}
		if LoadsCode(name) {
			return nil, fmt.Errorf("the variable %s makes programs run other code, or reach other places, than they say, so no link may set it; set it in the workspace, or with `lanyard env set`", name)
		}
		value, err := url.PathUnescape(value)
		switch {
		case err != nil || !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			return nil, fmt.Errorf("the value of %s is not encoded as in a URL", name)
		case len(value) > maxValue:
			return nil, fmt.Errorf("the value of %s is longer than %d bytes", name, maxValue)
		}
		all[name] = value
	}
	if len(all) > maxVariables {
		return nil, fmt.Errorf("it sets %d variables; at most %d are taken from a link", len(all), maxVariables)
	}
	return all, nil
}

// withoutValues hides the values of variables: they may be secrets, and errors are kept.
func withoutValues(s string) string {
	first, rest, ok := strings.Cut(s, "/")
	if !ok || !assignment().MatchString(first) || strings.HasPrefix(first, "http") {
		return s
	}
	var names []string
	for pair := range strings.SplitSeq(first, ",") {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name+"=…")
	}
	return strings.Join(names, ",") + "/" + rest
}
