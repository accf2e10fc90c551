package project

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	variables  = shape(`^[A-Za-z_][A-Za-z0-9_]*=`)
	fullCommit = shape(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	// Encodings that could be taken for a separator, a dot or another encoding, by us or by who comes after us.
	ambiguous = shape(`(?i)%(2f|5c|2e|25|00)|;`)
)

// ParseContextURL reads a context URL: a repository's, or one that goes on with /tree/BRANCH or /commit/SHA. The
// branch may hold slashes. ref is empty when none is named. The prefixes that Gitpod puts before the URL are refused
// by name.
func ParseContextURL(s string) (repo, ref string, err error) {
	if err := checkContext(s); err != nil {
		return "", "", err
	}
	plain, kind, rest := splitContext(s)
	if repo, err = CanonicalRepository(plain); err != nil {
		return "", "", err
	}
	switch kind {
	case "tree":
		ref, err = parseRef(rest)
	case "commit":
		if ref = strings.ToLower(rest); !fullCommit().MatchString(ref) {
			err = errors.New("a commit is named by its full ID, 40 or 64 hexadecimal digits")
		}
	case "":
	default:
		err = fmt.Errorf("contexts of the kind %q are not supported yet; name a branch with /tree/BRANCH or a commit with /commit/ID", kind)
	}
	if err != nil {
		return "", "", fmt.Errorf("context URL %s: %w", quote(s), err)
	}
	return repo, ref, nil
}

// checkContext refuses what no context URL holds.
func checkContext(s string) error {
	if len(s) > maxURL {
		return fmt.Errorf("context URL: it is longer than %d bytes", maxURL)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		return fmt.Errorf("context URL %s: it holds control characters", quote(s))
	}
	prefix, _, found := strings.Cut(s, "https://")
	if !found || prefix == "" {
		return nil
	}
	first, _, _ := strings.Cut(prefix, "/")
	switch {
	case variables().MatchString(prefix):
		return fmt.Errorf("context URL %s: variables before the URL (%s…) are not supported yet; leave them out and set them in the workspace", quote(s), variables().FindString(prefix))
	case strings.HasPrefix(first, "referrer:"):
		return fmt.Errorf("context URL %s: the prefix `referrer:` is not supported; leave it out", quote(s))
	case slices.Contains([]string{"imagebuild", "snapshot", "prebuild", "open-prebuild"}, first):
		return fmt.Errorf("context URL %s: the prefix `%s/` is not supported yet; leave it out", quote(s), first)
	}
	return fmt.Errorf("context URL %s: it must begin with https://", quote(s))
}

// splitContext splits a context URL into the repository's own URL, the kind of context after it and the rest.
func splitContext(s string) (plain, kind, rest string) {
	parts := strings.Split(strings.TrimSuffix(s, "/"), "/") // "https:", "", host, path…
	for i := 4; i+1 < len(parts); i++ {
		at := i
		if parts[i] == "-" && i+2 < len(parts) { // GitLab's separator
			at = i + 1
		}
		switch parts[at] {
		case "tree", "commit":
		case "blob", "issues", "pull", "pulls", "pullrequest", "merge_requests":
			if i < 5 {
				continue // may well be a repository's name
			}
		default:
			continue
		}
		return strings.Join(parts[:i], "/"), parts[at], strings.Join(parts[at+1:], "/")
	}
	return s, "", ""
}

// parseRef decodes a branch's or tag's name from a URL, once, and checks it.
func parseRef(s string) (string, error) {
	if ambiguous().MatchString(s) {
		return "", errors.New("its branch is encoded in a way that could be read twice")
	}
	ref, err := url.PathUnescape(s)
	if err != nil {
		return "", errors.New("its branch is not encoded rightly")
	}
	if err := CheckRef(ref); err != nil {
		return "", err
	}
	return ref, nil
}

// CheckRef checks the name of a branch or tag by the rules of git-check-ref-format, and that no program can take it
// for an option.
func CheckRef(ref string) error {
	switch {
	case ref == "" || len(ref) > 255:
		return errors.New("the branch's name is empty or longer than 255 bytes")
	case strings.HasPrefix(ref, "-"):
		return fmt.Errorf("the branch %s begins with a dash", quote(ref))
	case !utf8.ValidString(ref) || strings.ContainsFunc(ref, func(r rune) bool {
		return !unicode.IsPrint(r) || strings.ContainsRune(" ~^:?*[\\", r)
	}):
		return fmt.Errorf("the branch %s holds characters that no branch has", quote(ref))
	case strings.Contains(ref, "..") || strings.Contains(ref, "@{") || ref == "@" || strings.HasSuffix(ref, "."):
		return fmt.Errorf("%s is not the name of a branch", quote(ref))
	}
	for part := range strings.SplitSeq(ref, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return fmt.Errorf("%s is not the name of a branch", quote(ref))
		}
	}
	return nil
}
