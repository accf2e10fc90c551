package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// maxEvent bounds one server-sent event, in bytes.
const maxEvent = 4 << 20

// follow reads server-sent events until the server ends them. The event "closed" is ErrClosed with the reason.
func (c *Client) follow(ctx context.Context, path string, query url.Values, each func(name string, data []byte) error) error {
	answer, err := c.send(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, maxEvent)
	name, data := "", []byte(nil)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = append(data, line[len("data: "):]...)
		case line == "" && name != "":
			if name == "closed" {
				return closedBy(data)
			}
			if err := each(name, data); err != nil {
				return err
			}
			name, data = "", nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("follow %s: %w", path, err)
	}
	return nil
}

func closedBy(data []byte) error {
	var last struct{ Reason, Code string }
	if err := decode(data, &last); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrClosed, last.Reason)
}

func decode(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	return nil
}
