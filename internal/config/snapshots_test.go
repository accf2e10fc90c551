package config

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/snapshot"
)

func TestSnapshots(t *testing.T) {
	c, err := parsed(t, "snapshots: {size: 2GiB, per_user: 5, keep: 168h}\n")
	if want := (snapshot.Limits{Size: 2 << 30, Count: 5, Keep: 7 * 24 * time.Hour}); err != nil || c.Snapshots != want {
		t.Errorf("%+v %v", c, err)
	}
	for text, says := range map[string]string{
		"snapshots: {size: 5}": "where a text is wanted", "snapshots: {per_user: 0}": "whole number", "snapshots: {keeps: 1h}": "did you mean `keep`",
	} {
		if _, err := parsed(t, text+"\n"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
