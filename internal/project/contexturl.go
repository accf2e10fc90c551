package project

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	fullCommit = shape(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	number     = shape(`^[1-9][0-9]{0,9}$`)
	// Encodings that could be taken for a separator, a dot or another encoding, by us or by who comes after us.
	ambiguous = shape(`(?i)%(2f|5c|2e|25|00)|;`)
)

// Context is what a context URL stands for.
type Context struct {
	Repository string // canonical; empty where only Snapshot is set
	// Ref is a branch, tag or commit, or a whole ref (refs/pull/7/head); empty for the default branch.
	Ref string
	// Request is the number of the pull or merge request that Ref belongs to; 0: none.
	Request   int
	Variables map[string]string // nil: none. They are to be confirmed by the person.
	Snapshot  string            // as named, not checked; empty: none
	// URL is the context without variables and prefixes that mean nothing here.
	URL string
}

// ParseContext reads a context URL: a repository's, perhaps with a branch, a commit, or a pull or merge request as GitHub,
// GitLab, Gitea, Bitbucket and Azure DevOps write them, and before it what Gitpod allows there: KEY=VALUE,…/ and snapshot/ID.
func ParseContext(s string) (Context, error) {
	if len(s) > maxURL {
		return Context{}, fmt.Errorf("context URL: it is longer than %d bytes", maxURL)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		return Context{}, fmt.Errorf("context URL %s: it holds control characters", quote(s))
	}
	var c Context
	rest, err := c.prefixes(s)
	if err == nil && c.Snapshot == "" {
		err = c.address(rest)
	}
	if err != nil {
		if strings.HasPrefix(err.Error(), "repository URL") {
			return Context{}, err
		}
		return Context{}, fmt.Errorf("context URL %s: %w", quote(withoutValues(s)), err)
	}
	return c, nil
}

// ParseContextURL is ParseContext for who takes a repository and a ref only.
func ParseContextURL(s string) (repo, ref string, err error) {
	c, err := ParseContext(s)
	if err == nil && (c.Variables != nil || c.Snapshot != "") {
		err = fmt.Errorf("context URL %s: variables and snapshots are not taken here", quote(withoutValues(s)))
	}
	return c.Repository, c.Ref, err
}

// prefixes reads what stands before the repository's URL, and returns that URL.
func (c *Context) prefixes(s string) (rest string, err error) {
	for {
		if s == "" || strings.HasPrefix(s, "-") || hasPrefixFold(s, "https:") || hasPrefixFold(s, "http:") {
			return s, nil
		}
		first, after, more := strings.Cut(s, "/")
		switch {
		case first == "snapshot" && c.Snapshot == "":
			c.Snapshot, rest, _ = strings.Cut(after, "/")
			if c.Snapshot == "" || rest != "" {
				return "", errors.New("a snapshot is named by its ID alone: snapshot/ID")
			}
			c.URL = "snapshot/" + c.Snapshot
			return "", nil
		case strings.HasPrefix(first, "referrer:"): // says which program the link is from: nothing depends on it
		case slices.Contains([]string{"imagebuild", "prebuild", "open-prebuild"}, first) && more:
			return "", fmt.Errorf("the prefix `%s/` does not exist here; leave it out", first)
		case more && assignment().MatchString(first):
			if c.Variables != nil {
				return "", errors.New("it has variables in two places; separate them by commas in one")
			}
			if c.Variables, err = parseVariables(first); err != nil {
				return "", err
			}
		default:
			return s, nil // refused for what it is
		}
		if !more || after == "" {
			return "", errors.New("it names no repository")
		}
		s = after
	}
}

// address reads the repository's URL with what follows it.
func (c *Context) address(s string) error {
	c.URL = s
	plain, query, _ := strings.Cut(s, "?")
	if version, ok := strings.CutPrefix(query, "version=G"); ok && strings.Contains(plain, "/_git/") && version != "" { // Azure DevOps
		s = plain + "/" + map[byte]string{'B': "tree", 'T': "tree", 'C': "commit"}[version[0]] + "/" + strings.ReplaceAll(strings.ReplaceAll(version[1:], "%2F", "/"), "%2f", "/")
	}
	plain, kind, rest := splitContext(s)
	var err error
	if c.Repository, err = CanonicalRepository(bitbucket(plain)); err != nil {
		return err
	}
	switch kind {
	case "tree", "src", "branch":
		c.Ref, err = parseRef(rest)
	case "commit":
		if c.Ref = strings.ToLower(rest); !fullCommit().MatchString(c.Ref) {
			err = errors.New("a commit is named by its full ID, 40 or 64 hexadecimal digits")
		}
	case "":
	default:
		err = c.request(kind, rest)
	}
	return err
}

// request reads the number of a pull or merge request. A page of it (/files, /diffs) means the same.
func (c *Context) request(kind, rest string) error {
	ref, ok := map[string]string{
		"pull": "refs/pull/%s/head", "pulls": "refs/pull/%s/head", // GitHub; Gitea and Forgejo
		"merge_requests": "refs/merge-requests/%s/head", // GitLab
		"pull-requests":  "refs/pull-requests/%s/from",  // Bitbucket Data Center
		"pullrequest":    "refs/pull/%s/merge",          // Azure DevOps has no other
	}[kind]
	switch {
	case strings.HasPrefix(c.Repository, "https://bitbucket.org/") && kind == "pull-requests":
		return errors.New("there is no ref for a pull request at Bitbucket Cloud; open its branch, with /branch/NAME")
	case !ok:
		return fmt.Errorf("contexts of the kind %q are not supported; name a branch with /tree/BRANCH, a commit with /commit/ID or a merge request", kind)
	}
	id, _, _ := strings.Cut(rest, "/")
	if !number().MatchString(id) {
		return fmt.Errorf("%s is not the number of a merge request", quote(id))
	}
	n, err := strconv.Atoi(id)
	if err != nil {
		return err
	}
	c.Ref, c.Request = fmt.Sprintf(ref, id), n
	return nil
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
		case "src", "branch":
			if parts[2] != "bitbucket.org" || i < 5 {
				continue
			}
		case "blob", "issues", "pull", "pulls", "pullrequest", "merge_requests", "pull-requests":
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

// bitbucket gives the address that is cloned for that of a page of Bitbucket Data Center: /projects/KEY/repos/NAME is
// /scm/key/NAME.
func bitbucket(plain string) string {
	parts := strings.Split(plain, "/")
	if len(parts) == 7 && parts[3] == "projects" && parts[5] == "repos" {
		return strings.Join([]string{parts[0], parts[1], parts[2], "scm", strings.ToLower(parts[4]), parts[6]}, "/")
	}
	return plain
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
