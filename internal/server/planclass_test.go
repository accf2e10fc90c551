package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func TestWhatAClassLacks(t *testing.T) {
	const gib = 1 << 30
	classes := []workspace.Class{
		{Name: "whole"}, // the machine's all
		{Name: "large", Limits: workspace.Limits{CPUs: 8, Memory: 16 * gib, Disk: 64 * gib}},
		{Name: "many", Limits: workspace.Limits{CPUs: 16, Memory: 16 * gib, Disk: 64 * gib}},
		{Name: "small", Limits: workspace.Limits{CPUs: 0.5, Memory: gib / 2, Disk: 10 * gib}},
	}
	slices.SortStableFunc(classes, bySize)
	for _, c := range []struct {
		needs devfile.Needs
		fits  string // the classes, from the smallest
		small string // what small has instead
	}{
		{devfile.Needs{}, "small large many whole", ""},
		{devfile.Needs{CPUs: 1}, "large many whole", "0.5 processors"},
		{devfile.Needs{CPUs: 9, Memory: gib}, "many whole", "0.5 processors and 512 MiB of memory"},
		{devfile.Needs{Memory: 17 * gib}, "whole", "512 MiB of memory"},
		{devfile.Needs{CPUs: 8, Memory: 16 * gib, Storage: 32 * gib}, "large many whole", "0.5 processors, 512 MiB of memory and 10 GiB of disk"},
	} {
		var fits []string
		for _, one := range classes {
			if len(lacks(one, c.needs)) == 0 {
				fits = append(fits, one.Name)
			}
		}
		if got := strings.Join(fits, " "); got != c.fits {
			t.Errorf("%+v fits %s, not %s", c.needs, got, c.fits)
		}
		if got := joined(lacks(classes[0], c.needs)); got != c.small {
			t.Errorf("%+v: small has %q, not %q", c.needs, got, c.small)
		}
	}
}
