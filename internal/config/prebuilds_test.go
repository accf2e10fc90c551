package config

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/prebuild"
)

func TestPrebuilds(t *testing.T) {
	c, err := parsed(t, "prebuilds: {at_once: 2, timeout: 30m, size: 2GiB, total: 20GiB, per_branch: 5, keep: 168h, poll: 5m, every: 2h, yields: 15m}\n")
	want := prebuild.Limits{AtOnce: 2, Timeout: 30 * time.Minute, Size: 2 << 30, Total: 20 << 30, PerBranch: 5, Keep: 7 * 24 * time.Hour, Poll: 5 * time.Minute, Every: 2 * time.Hour, Yields: 15 * time.Minute}
	if err != nil || c.Prebuilds != want {
		t.Errorf("%+v %v", c.Prebuilds, err)
	}
	for text, says := range map[string]string{
		"prebuilds:\n  at_once: 0": ":", "prebuilds: {size: 5}": "where a text is wanted", "prebuilds: {per_branch: 51}": "between 1 and 50",
		"prebuilds: {poll: 10ms}": "at least 1s", "prebuilds: {keeps: 1h}": "did you mean `keep`", "prebuilds: {parallel: 2}": "write `at_once`",
	} {
		if _, err := parsed(t, text+"\n"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
