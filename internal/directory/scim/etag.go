package scim

import (
	"strconv"
	"strings"
)

// ETag is the weak entity tag of a version (RFC 7644 §3.14).
func ETag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// MatchesETag says whether the value of If-Match or If-None-Match names the version; "*" names every one. Tags are compared
// weakly (RFC 9110 §8.8.3.2): ours are all weak, and clients drop the W/.
func MatchesETag(header string, version int64) bool {
	want := strings.TrimPrefix(ETag(version), "W/")
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == want {
			return true
		}
	}
	return false
}
