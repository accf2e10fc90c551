package scim

import "strings"

// Fold is the form in which strings are compared that are not case-exact; what is stored in an index is folded too. It
// depends on no language.
func Fold(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.ToLower(strings.ToUpper(s)) // by way of capitals, since some letters share one
		}
	}
	return strings.ToLower(s)
}
