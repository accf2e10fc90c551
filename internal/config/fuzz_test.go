package config

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	broken, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(files, broken...) {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("lanyard.yaml", "/etc/lanyard", text)
		if err != nil {
			return
		}
		if !strings.HasPrefix(c.URL, "https://") && !(strings.HasPrefix(c.URL, "http://") && loopback(c.Host())) {
			t.Fatalf("url %q is accepted", c.URL)
		}
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			t.Fatalf("listen %q is accepted", c.Listen)
		}
		if within(c.Data, c.EncryptionKeyFile) {
			t.Fatalf("the key %q lies in the data %q", c.EncryptionKeyFile, c.Data)
		}
		if o := c.Operations; o.Listen != "" && o.Listen == c.Listen || o.Sample < 0 || o.Sample > 1 {
			t.Fatalf("operations %+v are accepted", o)
		}
		if !filepath.IsAbs(c.Data) || c.Directory.Sweep >= c.Directory.StaleAfter || c.Limits.Connections < 0 {
			t.Fatalf("%+v is accepted", c)
		}
	})
}
