package doctor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// TestKeptReports looks at reports anew: the findings are those that were made when they were written.
func TestKeptReports(t *testing.T) {
	files, err := filepath.Glob("testdata/reports/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no reports: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			file, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			again, err := ReadReport(file)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var written struct {
				Health struct {
					Sound    bool                   `json:"sound"`
					Findings []api.DirectoryFinding `json:"findings"`
				} `json:"health"`
			}
			if err := json.Unmarshal(text, &written); err != nil {
				t.Fatal(err)
			}
			if again.Health.Sound != written.Health.Sound || !reflect.DeepEqual(again.Health.Findings, written.Health.Findings) {
				t.Errorf("found now:\n%+v\nand then:\n%+v", again.Health.Findings, written.Health.Findings)
			}
		})
	}
}
