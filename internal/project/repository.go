package project

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxURL is how long a repository's or a context's URL may be, in bytes.
const maxURL = 2048

var (
	hostLabel   = shape(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	pathSegment = shape(`^[A-Za-z0-9._~][A-Za-z0-9._~-]*$`)
	scpForm     = shape(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:`)
)

// CanonicalRepository reads the URL of a repository, which may come from anybody, and gives the one form under which
// it is compared, judged and forwarded: https, host in lower case, no default port, no ".git", no slash at the end.
// It knows one spelling for each repository and refuses whatever could be read in two ways: encodings, empty and dot
// segments, and what a program could take for an option.
func CanonicalRepository(raw string) (string, error) {
	host, segments, err := splitURL(raw)
	if err != nil {
		return "", fmt.Errorf("repository URL %s: %w", quote(raw), err)
	}
	last := &segments[len(segments)-1]
	for len(*last) > len(".git") && strings.HasSuffix(*last, ".git") {
		*last = strings.TrimSuffix(*last, ".git")
	}
	for _, s := range segments {
		if err := checkSegment(s); err != nil {
			return "", fmt.Errorf("repository URL %s: %w", quote(raw), err)
		}
	}
	return "https://" + host + "/" + strings.Join(segments, "/"), nil
}

// quote prints hostile text, cut where it gets long and without what could be a password before an @.
func quote(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		s = "…" + s[at:]
	}
	more := ""
	if len(s) > 200 {
		s, more = s[:200], "…"
	}
	return strings.ReplaceAll(strconv.QuoteToASCII(s), `\u2026`, "…") + more
}

// splitURL separates an https URL into its host, checked, and its path's segments, not yet checked. There is at
// least one segment.
func splitURL(raw string) (host string, segments []string, err error) {
	switch {
	case raw == "":
		return "", nil, errors.New("it is empty")
	case len(raw) > maxURL:
		return "", nil, fmt.Errorf("it is longer than %d bytes", maxURL)
	case strings.HasPrefix(raw, "-"):
		return "", nil, errors.New("it begins with a dash")
	case scpForm().MatchString(raw) || hasPrefixFold(raw, "ssh://") || hasPrefixFold(raw, "git://"):
		return "", nil, errors.New("only https is spoken with repositories; write its https:// address")
	case hasPrefixFold(raw, "http://"):
		return "", nil, errors.New("it must begin with https://, not http://")
	case !hasPrefixFold(raw, "https://"):
		return "", nil, errors.New("it must begin with https://")
	}
	for i := range len(raw) {
		switch c := raw[i]; {
		case c <= ' ' || c == 0x7f:
			return "", nil, errors.New("it holds a space or a control character")
		case c >= 0x80:
			return "", nil, errors.New("it holds characters outside ASCII; write an international host name in its xn-- form")
		case c == '%':
			return "", nil, errors.New("it holds a percent sign; names that need encoding are not supported")
		case c == '?' || c == '#' || c == '@' || c == '\\':
			return "", nil, fmt.Errorf("it holds %q; write it without user name, query and fragment", string(c))
		}
	}
	authority, path, _ := strings.Cut(raw[len("https://"):], "/")
	if host, err = canonicalHost(authority); err != nil {
		return "", nil, err
	}
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return "", nil, errors.New("it names a host and no repository")
	}
	return host, strings.Split(path, "/"), nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// canonicalHost checks a host with an optional port and puts it in lower case, without the port of https.
func canonicalHost(authority string) (string, error) {
	name, port, hasPort := strings.Cut(strings.ToLower(authority), ":")
	if len(name) == 0 || len(name) > 253 {
		return "", errors.New("its host is missing or too long")
	}
	for label := range strings.SplitSeq(name, ".") {
		if !hostLabel().MatchString(label) {
			return "", fmt.Errorf("%s is not a host name", quote(authority))
		}
	}
	if !hasPort {
		return name, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("%s is not a port", quote(port))
	}
	if n == 443 {
		return name, nil
	}
	return name + ":" + port, nil
}

func checkSegment(s string) error {
	switch {
	case s == "":
		return errors.New("it holds an empty path segment (//)")
	case s == "." || s == "..":
		return fmt.Errorf("it holds the path segment %q", s)
	case strings.EqualFold(s, ".git"):
		return errors.New("it holds the path segment .git")
	case strings.HasPrefix(s, "-"):
		return fmt.Errorf("its path segment %s begins with a dash", quote(s))
	case !pathSegment().MatchString(s):
		return fmt.Errorf("its path segment %s holds other characters than letters, digits and ._~-", quote(s))
	}
	return nil
}
