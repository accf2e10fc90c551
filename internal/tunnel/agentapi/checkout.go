package agentapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Pack is a checkout, or what was done in one, on its way between two workspaces: this, as a line of JSON, and then a Git
// pack (gitformat-pack(5)) until the end. The objects travel, nothing else: no configuration, no hook, no index, and of refs only
// what Remote says.
type Pack struct {
	Commit string `json:"commit"` // what the checkout's files are, committed or not; ValidCommit says which
	// Head is the commit that was checked out; Commit is another one where there was something that was not committed. Empty
	// before the first commit.
	Head string `json:"head,omitempty"`
	// Branch is what was checked out; empty where it was a commit.
	Branch string `json:"branch,omitempty"`
	// Origin is the repository's address, as it was cloned; empty when there is none.
	Origin string `json:"origin,omitempty"`
	// Remote is what origin was known to have of this history: commits by branch. A checkout that is made of the pack tells by
	// it what was not pushed, until a fetch knows better.
	Remote map[string]string `json:"remote,omitempty"`
	// Shallow are the commits at which the history ends (gitrepository-layout(5), shallow).
	Shallow []string `json:"shallow,omitempty"`
	Format  string   `json:"format"`          // of object names: sha1 or sha256
	Error   string   `json:"error,omitempty"` // why there is none; nothing follows
}

// PackOrder asks for a Pack.
type PackOrder struct {
	Name string `json:"name"` // the checkout's folder
	// Since is the commit that who gets the pack has; empty for the whole history.
	Since string `json:"since,omitempty"`
	// Last says that the work is over: every process but the agent ends first, so that nothing changes any more.
	Last bool `json:"last,omitempty"`
	// Message is that of the commit that holds what was not committed.
	Message string `json:"message"`
}

// Unpack is a line of JSON before a Pack's own: where the pack goes.
type Unpack struct {
	Name string `json:"name"` // the checkout's folder
	// Branch is the new branch (agent/…) of the checkout that is there; empty: a checkout is made, which must not be there.
	Branch string `json:"branch,omitempty"`
	Base   string `json:"base,omitempty"` // the commit that the branch began at, for the difference
	// Uncommitted leaves what was not committed in the pack's checkout uncommitted in the new one too.
	Uncommitted bool `json:"uncommitted,omitempty"`
	// Keep leaves a checkout that is there already as it is, and is no error then.
	Keep bool `json:"keep,omitempty"`
}

// Unpacked is the answer to Unpack.
type Unpacked struct {
	Stat  string `json:"stat,omitempty"` // the difference by file, as `git diff --stat` says it
	Diff  string `json:"diff,omitempty"` // as a patch, of at most MaxDiff bytes
	Cut   bool   `json:"cut,omitempty"`  // there is more of it
	Error string `json:"error,omitempty"`
}

// Bounds of what one workspace may hand to another, in bytes.
const (
	MaxPack = 4 << 30
	MaxDiff = 128 << 10
	MaxStat = 32 << 10
)

var (
	commitName = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	branchName = regexp.MustCompile(`^agent/[a-z][a-z0-9-]{0,40}/[a-z0-9-]{1,60}$`)
)

// ValidCommit reports whether s is the full name of a Git object.
func ValidCommit(s string) bool { return commitName.MatchString(s) }

// ValidAgentBranch reports whether s is a branch that an AI agent's work may come back as.
func ValidAgentBranch(s string) bool { return branchName.MatchString(s) }

// Pack asks for the checkout as it is, with what is not committed and not ignored. The caller reads the pack to its end
// and closes it. What could not be packed is a problem.BadUpstream whose message a person may see.
func (c Client) Pack(ctx context.Context, o PackOrder) (Pack, io.ReadCloser, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return Pack{}, nil, fmt.Errorf("pack a checkout: %w", err)
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/checkout/pack", body)
	if err != nil {
		return Pack{}, nil, err
	}
	in := bufio.NewReaderSize(resp.Body, 64<<10)
	var p Pack
	if err := readLine(in, &p); err != nil {
		resp.Body.Close()
		return Pack{}, nil, problem.Wrap(err, problem.Unavailable, "The connection to the workspace broke while its checkout was being copied.")
	}
	switch {
	case p.Error != "":
		err = problem.New(problem.BadUpstream, "%s", cut(plain(p.Error), maxError))
	case !ValidCommit(p.Commit) || p.Format != "sha1" && p.Format != "sha256":
		err = problem.New(problem.BadUpstream, "The workspace's agent did not say which commit its checkout is.")
	default:
		return p, packBody{&bounded{in, MaxPack}, resp.Body}, nil
	}
	resp.Body.Close()
	return Pack{}, nil, err
}

// bounded fails where there is more to read than there may be: a part must not be taken for the whole.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, problem.New(problem.TooLarge, "The checkout is more than %d GiB, which is the most that is copied.", MaxPack>>30)
	}
	return n, err
}

type packBody struct {
	io.Reader
	io.Closer
}

// Unpack gives a pack to a workspace. What went wrong inside it is a problem.BadUpstream.
func (c Client) Unpack(ctx context.Context, u Unpack, p Pack, pack io.Reader) (Unpacked, error) {
	var head bytes.Buffer
	e := json.NewEncoder(&head)
	for _, line := range []any{u, p} {
		if err := e.Encode(line); err != nil {
			return Unpacked{}, fmt.Errorf("unpack a checkout: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/checkout/unpack", io.MultiReader(&head, pack))
	if err != nil {
		return Unpacked{}, fmt.Errorf("unpack a checkout: %w", err)
	}
	resp, err := c.http.Do(req)
	var told *problem.Error
	if errors.As(err, &told) {
		return Unpacked{}, told
	}
	if err != nil {
		return Unpacked{}, problem.Wrap(err, problem.Unavailable, "The connection to the workspace broke while a checkout was being copied.")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Unpacked{}, refused(resp)
	}
	var out Unpacked
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxFrame)).Decode(&out); err != nil {
		return Unpacked{}, problem.Wrap(err, problem.Unavailable, "The connection to the workspace broke while a checkout was being copied.")
	}
	if out.Error != "" {
		return Unpacked{}, problem.New(problem.BadUpstream, "%s", cut(plain(out.Error), maxError))
	}
	out.Stat, out.Diff = cut(plain(out.Stat), MaxStat), cut(plain(out.Diff), MaxDiff)
	return out, nil
}

// plain takes out what a terminal would take for a command: file names and contents are another's.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// readLine decodes one line of JSON and not a byte more.
func readLine(in *bufio.Reader, into any) error {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxFrame {
			return fmt.Errorf("a line of more than %d bytes", maxFrame)
		}
		line = append(line, part...)
		if err == nil {
			return json.Unmarshal(line, into)
		}
		if err != bufio.ErrBufferFull {
			return err
		}
	}
}

// ReadUnpack reads what comes before the pack of an Unpack.
func ReadUnpack(in *bufio.Reader) (u Unpack, p Pack, err error) {
	if err := readLine(in, &u); err != nil {
		return u, p, err
	}
	return u, p, readLine(in, &p)
}
