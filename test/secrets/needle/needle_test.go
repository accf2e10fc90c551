package needle

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestFindsEveryForm(t *testing.T) {
	secret := make([]byte, 40)
	rand.Read(secret)
	marks, err := Marks("the secret", secret)
	if err != nil {
		t.Fatal(err)
	}
	set := NewSet(marks)
	texts := map[string]string{
		"as it is":        "x" + string(secret) + "y",
		"hexadecimal":     strings.ToUpper(hex.EncodeToString(secret)),
		"percent-encoded": url.QueryEscape(string(secret)),
	}
	for before := range 3 {
		for after := range 2 {
			text := append(append(bytes.Repeat([]byte{'u'}, before), secret...), bytes.Repeat([]byte{0xff}, after)...)
			for i, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
				texts[fmt.Sprintf("base64 %d %d %d", before, after, i)] = e.EncodeToString(text)
			}
		}
	}
	for form, text := range texts {
		want := "the secret, " + strings.Fields(form)[0]
		positions := []int{1}
		if form == "as it is" {
			positions = []int{0, piece - 20, piece - 1, piece} // also across two pieces
		}
		for _, at := range positions {
			s := Search{Set: set}
			n, err := s.Stream("here", strings.NewReader(strings.Repeat("-", at)+text+"-"))
			if err != nil || n != int64(at+len(text)+1) {
				t.Fatal(n, err)
			}
			if len(s.Found) == 0 || !strings.HasPrefix(s.Found[0].Name, want) {
				t.Errorf("%s at %d: %v", form, at, s.Found)
			}
		}
	}
	other := make([]byte, 512<<10)
	rand.Read(other)
	if got := set.Find(other); got != nil {
		t.Errorf("found %v in noise", got)
	}
	if _, err := Marks("short", secret[:15]); err == nil {
		t.Error("a secret shorter than a mark is taken")
	}
}
