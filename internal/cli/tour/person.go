package tour

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// person is a sample user with a browser of their own.
type person struct {
	*remote.Remote
	name      string // short user name
	me        api.Me
	workspace api.Workspace
	terminal  *terminal
}

// signIn signs a person in, in a fresh browser, and asks Lanyard who they are.
func (s *stage) signIn(ctx context.Context, name string) (*person, time.Duration, error) {
	user, err := s.info.User(name)
	if err != nil {
		return nil, 0, err
	}
	begun := time.Now()
	r, err := s.info.SignIn(ctx, user)
	if err != nil {
		return nil, 0, err
	}
	took := time.Since(begun)
	p := s.people[name]
	if p == nil {
		p = &person{name: name}
		s.people[name] = p
	} else {
		p.leave(ctx)
	}
	p.Remote = r
	p.me, err = r.Me(ctx)
	return p, took, err
}

// leave signs the person out, and closes what they have open.
func (p *person) leave(ctx context.Context) {
	if p.Remote != nil {
		_ = p.Browser.SignOut(ctx, p.URL) // the sign-in may have ended already
	}
	if p.terminal != nil {
		p.terminal.close()
		p.terminal = nil
	}
	if p.Remote != nil {
		p.Close()
	}
}

// attach opens the workspace's terminal, as its page does: first the page itself, which hands the person's session
// over to the terminal's site, then the WebSocket.
func (p *person) attach(ctx context.Context) error {
	page, err := p.Browser.Visit(ctx, p.workspace.Terminal)
	if err != nil {
		return fmt.Errorf("open the terminal's page: %w", err)
	}
	page.Body.Close()
	if page.StatusCode != http.StatusOK || !strings.HasPrefix(p.workspace.Terminal, page.Request.URL.Scheme+"://"+page.Request.URL.Host) {
		return fmt.Errorf("open the terminal's page: %s answered %s", page.Request.URL.Host, page.Status)
	}
	address := "ws" + strings.TrimPrefix(strings.TrimSuffix(p.workspace.Terminal, "/"), "http") + "/_lanyard/terminal?cols=160&rows=40"
	conn, resp, err := p.Browser.WebSocket(ctx, address)
	if err != nil {
		if resp != nil && resp.StatusCode >= http.StatusMultipleChoices {
			return fmt.Errorf("open the terminal: it answered %s", resp.Status)
		}
		return fmt.Errorf("open the terminal: %w", err)
	}
	p.terminal = newTerminal(conn)
	return nil
}

// types runs a command in the person's terminal and shows it with its output. It fails when the command does.
func (s *stage) types(ctx context.Context, p *person, command string) (string, error) {
	out, status, err := p.terminal.run(ctx, command)
	if err != nil {
		return out, err
	}
	s.typed(p.name, command, out)
	if status != 0 {
		return out, fmt.Errorf("%q in the terminal ended with status %d", command, status)
	}
	return out, nil
}

// exec runs a command through the API, and gives its output and exit status.
func (p *person) exec(ctx context.Context, argv ...string) (string, int, error) {
	var out strings.Builder
	status, err := p.Exec(ctx, p.workspace.ID, agentapi.ExecRequest{Argv: argv}, agentapi.Streams{Stdout: &out, Stderr: &out})
	return out.String(), status, err
}
