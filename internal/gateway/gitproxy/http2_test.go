package gitproxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
)

// With HTTP/2 the connection carries other requests too, behind a proxy other people's: a cut ends one stream of it.
func TestCutEndsOneStream(t *testing.T) {
	s := newScene(t)
	if err := gitserver.SeedLarge(t.Context(), s.root, "payments/large", 3); err != nil {
		t.Fatal(err)
	}
	c := newClient(t)
	head := strings.TrimSpace(c.must("--git-dir", s.root+"/payments/large.git", "rev-parse", "HEAD"))
	s.upstream.Throttle(256 << 10)
	over := &http.Transport{Protocols: new(http.Protocols)}
	over.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(over.CloseIdleConnections)
	address := s.serve(t, gatewaytest.Ada) + "/payments/large/git-upload-pack"
	fetch := func() *http.Response {
		t.Helper()
		want := "want " + head + "\n"
		r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(fmt.Sprintf("%04x%s00000009done\n", len(want)+4, want)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-git-upload-pack-request")
		resp, err := over.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
			t.Fatal(resp, err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		if _, err := io.ReadFull(resp.Body, make([]byte, 64)); err != nil {
			t.Fatal(err)
		}
		return resp
	}
	first := fetch()
	open := s.Engine.LeasesOf(gatewaytest.User(gatewaytest.Ada))
	if len(open) != 1 {
		t.Fatalf("%d leases", len(open))
	}
	second := fetch()
	if !s.Engine.Revoke(open[0].ID, access.Reason{Text: "the operator ended this access"}) {
		t.Fatal("the lease is not there")
	}
	if _, err := io.Copy(io.Discard, first.Body); err == nil {
		t.Error("what was cut ended as if it were whole")
	}
	s.upstream.Throttle(0)
	if n, err := io.Copy(io.Discard, second.Body); err != nil || n < 1<<20 {
		t.Errorf("the other one: %d bytes, %v", n, err)
	}
}
