package agentapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// A checkout that is larger than may be is refused, and never taken for one that ends there.
func TestAttack27CheckoutsAreBounded(t *testing.T) {
	b := &bounded{in: strings.NewReader("12345"), left: 4}
	if got, err := io.ReadAll(b); problem.KindOf(err) != problem.TooLarge || len(got) > 4 {
		t.Errorf("%q, %v", got, err)
	}
	exact := &bounded{in: strings.NewReader("1234"), left: 4}
	if got, err := io.ReadAll(exact); string(got) != "1234" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// reader is an agent that reads all it is sent, and fails as the transport does when that fails.
type reader struct{}

func (reader) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	return nil, errors.New("the agent is gone")
}

func TestUnpackSaysWhatWentWrong(t *testing.T) {
	c := New(reader{})
	if _, err := c.Unpack(t.Context(), Unpack{}, Pack{}, &bounded{in: strings.NewReader("12"), left: 1}); problem.KindOf(err) != problem.TooLarge {
		t.Errorf("too large: %v", err)
	}
	if _, err := c.Unpack(t.Context(), Unpack{}, Pack{}, strings.NewReader("")); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("gone: %v", err)
	}
}

func TestHostilePacks(t *testing.T) {
	for _, said := range []string{
		"", "{}\n", `{"commit":"HEAD","format":"sha1"}` + "\n", `{"commit":"-0123456789012345678901234567890123456789","format":"sha1"}` + "\n",
		`{"commit":"0123456789012345678901234567890123456789","format":"md5"}` + "\n", `{"commit":"0123456789012345678901234567890123456789"`,
		`{"error":"` + strings.Repeat("x", maxFrame) + `"}` + "\n",
	} {
		if p, _, err := New(agent(said)).Pack(t.Context(), PackOrder{}); err == nil {
			t.Errorf("%.80q was taken for %+v", said, p)
		}
	}
	_, _, err := New(agent(`{"error":"a\u001b]0;x\u0007b"}`+"\n")).Pack(t.Context(), PackOrder{})
	if text := problem.Message(err); strings.ContainsAny(text, "\x1b\x07") || !strings.HasPrefix(text, "a") {
		t.Errorf("%q", text)
	}
	if !ValidAgentBranch("agent/tidy/20261123-173105-ab12") {
		t.Error("a branch of ours is refused")
	}
	for _, bad := range []string{"main", "agent/tidy", "agent/../x", "agent/tidy/x/y", "agent/-x/y", "agent/x/y\n", "refs/heads/agent/x/y", "agent/x/"} {
		if ValidAgentBranch(bad) {
			t.Errorf("%q may be an agent's branch", bad)
		}
	}
	var none bytes.Buffer
	if _, err := New(agent("not JSON")).Unpack(t.Context(), Unpack{}, Pack{}, &none); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("an answer that is none: %v", err)
	}
}
