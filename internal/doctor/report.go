package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/lanyardhq/lanyard/api"
)

// Report is what was observed, without what names people, places or organisations, to be shown to others. What is
// found in it is the same.
type Report struct {
	Report  int                 `json:"lanyard_report"` // the version of this form
	Version string              `json:"version"`        // of Lanyard
	Health  api.DirectoryHealth `json:"health"`
}

const (
	form       = 1
	readAtMost = 4 << 20 // bytes
)

// NewReport makes a report. It is made of a copy.
func NewReport(version string, h api.DirectoryHealth) (Report, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return Report{}, fmt.Errorf("make a report: %w", err)
	}
	r := Report{Report: form, Version: version}
	if err := json.Unmarshal(text, &r.Health); err != nil {
		return Report{}, fmt.Errorf("make a report: %w", err)
	}
	mask(&r.Health)
	Diagnose(&r.Health) // in the words of what is left
	return r, nil
}

// Write writes the report for people to read before they pass it on.
func (r Report) Write(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadReport reads a report and looks at it anew.
func ReadReport(from io.Reader) (Report, error) {
	text, err := io.ReadAll(io.LimitReader(from, readAtMost+1))
	if err != nil {
		return Report{}, fmt.Errorf("read the report: %w", err)
	}
	var r Report
	switch err := json.Unmarshal(text, &r); {
	case len(text) > readAtMost:
		return Report{}, errors.New("the report is too large to be one")
	case err != nil:
		return Report{}, fmt.Errorf("read the report: %w", err)
	case r.Report != form:
		return Report{}, fmt.Errorf("this is no report of the form %d, which `lanyard entra doctor --report` writes", form)
	}
	Diagnose(&r.Health)
	return r, nil
}
