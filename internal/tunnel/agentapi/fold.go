package agentapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// A folded checkout is a tar archive of all that is in it, ignored files and Git's own folder included: what a prebuild made.
// FoldedFiles is the folder of the checkout in it, FoldedOnce the file that says what has run once for it.
const (
	FoldedFiles = "checkout"
	FoldedOnce  = "once.json"
)

// FoldOrder asks for a folded checkout.
type FoldOrder struct {
	Name string `json:"name"` // the checkout's folder
}

// Fold ends every process but the agent and opens the checkout as a folded one. The caller reads it to its end and closes it;
// a connection that breaks is an error of the reader, never a clean end.
func (c Client) Fold(ctx context.Context, o FoldOrder) (io.ReadCloser, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("fold a checkout: %w", err)
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/checkout/fold", body)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Unfold makes the checkout of that name of a folded one. One that is there already stays as it is. What went wrong inside the
// workspace is a problem.BadUpstream; then there is no checkout.
func (c Client) Unfold(ctx context.Context, name string, folded io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/checkout/unfold?name="+url.QueryEscape(name), folded)
	if err != nil {
		return fmt.Errorf("unfold a checkout: %w", err)
	}
	resp, err := c.http.Do(req)
	var told *problem.Error
	if errors.As(err, &told) {
		return told
	}
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The connection to the workspace broke while a checkout was being copied.")
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return refused(resp)
	}
	return nil
}
