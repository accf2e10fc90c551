package registration

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

// A certificate is known by its content, else by its thumbprint in any of the forms in which tenants write it.
func TestSameCertificate(t *testing.T) {
	der := []byte("a certificate")
	one, two := sha1.Sum(der), sha256.Sum256(der)
	for name, c := range map[string]struct {
		entry keyCredential
		same  bool
	}{
		"content":             {keyCredential{Key: der, Identifier: "whatever"}, true},
		"other content":       {keyCredential{Key: []byte("another"), Identifier: base64.StdEncoding.EncodeToString(one[:])}, false},
		"SHA-1, base64":       {keyCredential{Identifier: base64.StdEncoding.EncodeToString(one[:])}, true},
		"SHA-1, hexadecimal":  {keyCredential{Identifier: hex.EncodeToString(one[:])}, true},
		"SHA-1, base64 of it": {keyCredential{Identifier: base64.StdEncoding.EncodeToString([]byte(strings.ToUpper(hex.EncodeToString(one[:]))))}, true},
		"SHA-256, base64":     {keyCredential{Identifier: base64.StdEncoding.EncodeToString(two[:])}, true},
		"nothing":             {keyCredential{}, false},
	} {
		if got := c.entry.is(der); got != c.same {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (keyCredential{}).is(nil) {
		t.Error("no certificate is one")
	}
}

// Whatever a word holds, the shell takes it for itself; placeholders become variables.
func TestInterpolated(t *testing.T) {
	for text, want := range map[string]string{
		"/applications/{{app}}/owners": `'/applications/'"$APP"'/owners'`,
		"it's $HOME":                   `'it'\''s $HOME'`,
		"{{certificate1}}":             `''"$CERTIFICATE1"''`,
	} {
		if got := interpolated(text); got != want {
			t.Errorf("%s becomes %s", text, got)
		}
	}
}
