package devfile

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is read as what is expected")

// TestGitpod reads twelve files in the manner of real repositories; what each means stands beside it.
func TestGitpod(t *testing.T) {
	files, err := filepath.Glob("testdata/gitpod/*.yml")
	if err != nil || len(files) != 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Parse(".gitpod.yml", content, About{Checkout: "/workspace/app", ID: "id"})
			if err != nil {
				t.Fatal(err)
			}
			got := meaning(t, p)
			golden := strings.TrimSuffix(file, ".yml") + ".plan.json"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("read as\n%s\nexpected\n%s", got, want)
			}
		})
	}
}

// meaning writes what a plan says and nothing of what it does not say.
func meaning(t *testing.T, p *Plan) []byte {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(said(v), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// said leaves out zero values, and places, which other tests look at.
func said(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if value = said(value); value != nil && key != "At" {
				out[key] = value
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i, one := range v {
			v[i] = said(one)
		}
		return v
	case string:
		if v == "" {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	case json.Number:
		if v == "0" {
			return nil
		}
	}
	return v
}
