package account

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// TestAttack17AFileOfTokensIsOfNoUseElsewhere: somebody has got at a copy of what is kept in a file.
func TestAttack17AFileOfTokensIsOfNoUseElsewhere(t *testing.T) {
	s := &Store{Dir: t.TempDir(), HTTP: &http.Client{}}
	v, err := newSecret()
	if err != nil {
		t.Fatal(err)
	}
	v.Access, v.Refresh, v.Ends = "the access token", "the refresh token", time.Now().Add(time.Minute)
	c := Context{URL: "https://lanyard.example.test"}
	if c.Kept, err = s.save(c.URL, v); err != nil || c.Kept != KeptInFile {
		t.Fatal(c.Kept, err)
	}
	back, err := s.load(c)
	if err != nil || back.Access != v.Access || back.Refresh != v.Refresh || !back.private.Equal(v.private) {
		t.Fatalf("%v %v", back, err)
	}
	text, err := os.ReadFile(s.secretFile(c.URL))
	if err != nil || strings.Contains(string(text), "token\"") || strings.Contains(string(text), "the access") {
		t.Errorf("the file holds %s %v", text, err)
	}
	// The file of one server in the place of another's.
	other := Context{URL: "https://other.example.test", Kept: KeptInFile}
	if err := os.Rename(s.secretFile(c.URL), s.secretFile(other.URL)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.load(other); problem.KindOf(err) != problem.SignInNeeded || !strings.Contains(problem.Message(err), "another machine") {
		t.Errorf("the file of another server: %v", err)
	}
	for _, broken := range []string{"", "{}", `{"salt":"","sealed":"AAAA"}`, string(text[:len(text)/2])} {
		if err := os.WriteFile(filepath.Join(s.Dir, "secrets", filepath.Base(s.secretFile(c.URL))), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.load(c); err == nil {
			t.Errorf("%q was read", broken)
		}
	}
}
