package account

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

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

// A keychain that comes or goes between two refreshes leaves nobody with tokens that were used already.
func TestSecretsMoveWithTheKeychain(t *testing.T) {
	keyring.MockInitWithError(keyring.ErrUnsupportedPlatform)
	s := &Store{Dir: t.TempDir(), HTTP: &http.Client{}, Keychain: true}
	v, err := newSecret()
	if err != nil {
		t.Fatal(err)
	}
	c := Context{Name: "here", URL: "https://lanyard.example.test"}
	if c.Kept, err = s.save(c.URL, v); err != nil || c.Kept != KeptInFile {
		t.Fatal(c.Kept, err)
	}
	if err := s.keep(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	transport := s.Transport(c) // one that goes on for long
	for refresh, step := range []struct{ kept string }{{KeptByKeychain}, {KeptInFile}, {KeptByKeychain}} {
		if step.kept == KeptByKeychain {
			keyring.MockInit()
		} else {
			keyring.MockInitWithError(keyring.ErrUnsupportedPlatform)
		}
		v.Refresh = "refresh " + strconv.Itoa(refresh)
		found, err := s.Find("")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.saveAgain(*found, v); err != nil {
			t.Fatal(err)
		}
		if found, err = s.Find(""); err != nil || found.Kept != step.kept {
			t.Errorf("kept in %v %v", found, err)
		}
		if err := transport.load(); err != nil || transport.v.Refresh != v.Refresh {
			t.Errorf("who goes on has %v %v", transport.v, err)
		}
		if _, err := os.Stat(s.secretFile(c.URL)); (err == nil) != (step.kept == KeptInFile) {
			t.Errorf("kept in %s, and the file: %v", step.kept, err)
		}
	}
}
