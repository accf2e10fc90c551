package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Prebuild is a checkout that was made ready ahead: what runs once for one has run.
type Prebuild struct {
	ID         string     `json:"id"`
	Project    string     `json:"project" doc:"The project's name"`
	Repository string     `json:"repository"`
	Ref        string     `json:"ref" doc:"The branch, as a whole ref"`
	Commit     string     `json:"commit"`
	Cause      string     `json:"cause" doc:"push, poll, schedule, or who asked for it"`
	State      string     `json:"state" doc:"waiting, running, done, failed"`
	Message    string     `json:"message,omitempty" doc:"Why it failed, or waits again"`
	Log        string     `json:"log,omitempty" doc:"What was said while it was made; not in lists"`
	Size       int64      `json:"size,omitempty" doc:"In bytes"`
	Digest     string     `json:"digest,omitempty"`
	Created    time.Time  `json:"created"`
	Started    *time.Time `json:"started,omitempty" doc:"Absent while it waits"`
	Ended      *time.Time `json:"ended,omitempty"`
	Expires    *time.Time `json:"expires,omitempty"`
	Can        []string   `json:"can" doc:"What the one who asks may do now: run (its branch again), delete"`
}

// RunPrebuild asks for one.
type RunPrebuild struct {
	ContextURL string `json:"context_url" doc:"A repository's address, or that of one of its branches"`
}

// Prebuilds lists those of repositories that one may read, newest first.
func (c *Client) Prebuilds(ctx context.Context) ([]Prebuild, error) {
	return list[Prebuild](ctx, c, "/prebuilds", nil)
}

// Prebuild gets one, with what was said while it was made.
func (c *Client) Prebuild(ctx context.Context, id string) (p Prebuild, err error) {
	return p, c.Do(ctx, http.MethodGet, "/prebuilds/"+url.PathEscape(id), nil, nil, &p)
}

// RunPrebuild has one made.
func (c *Client) RunPrebuild(ctx context.Context, o RunPrebuild) (p Prebuild, err error) {
	return p, c.Do(ctx, http.MethodPost, "/prebuilds", nil, o, &p)
}

// DeletePrebuild removes one, and ends one that is being made.
func (c *Client) DeletePrebuild(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodDelete, "/prebuilds/"+url.PathEscape(id), nil, nil, nil)
}
