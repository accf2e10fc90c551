package gateway

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxPath bounds a request's path, in bytes.
const maxPath = 8 << 10

// Path is the path of a request as it came, checked: it has one reading, whoever reads it. It is escaped, begins
// with "/" and has no query. What was judged by it is forwarded byte by byte.
type Path string

// PathOf checks the path of r. Everything that two programs could read differently is refused.
func PathOf(r *http.Request) (Path, error) {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	if r.RequestURI == "" { // not from a connection
		raw = r.URL.EscapedPath()
	}
	if err := checkPath(raw); err != "" {
		return "", problem.New(problem.Invalid, "The address is refused because %s.", err)
	}
	return Path(raw), nil
}

// PackagePathOf is PathOf for registries. npm encodes the slash in the name of a scoped package, and registries take either
// spelling: that one is made a slash, and then the path is judged and forwarded.
func PackagePathOf(r *http.Request) (Path, error) {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	if r.RequestURI == "" {
		raw = r.URL.EscapedPath()
	}
	plain := scoped().ReplaceAllString(raw, "/@$1/$2")
	if err := checkPath(plain); err != "" {
		return "", problem.New(problem.Invalid, "The address is refused because %s.", err)
	}
	return Path(plain), nil
}

// scoped is the name of a scoped npm package as a segment of a path.
var scoped = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`/@([A-Za-z0-9~][A-Za-z0-9._~-]*)%2[fF]([A-Za-z0-9~][A-Za-z0-9._~-]*)`)
})

// checkPath says what is wrong with an escaped path, as a clause; empty when nothing is.
func checkPath(raw string) string {
	if len(raw) > maxPath {
		return "its path is too long"
	}
	if !strings.HasPrefix(raw, "/") {
		return "it does not begin with a slash"
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c <= ' ' || c >= 0x7f:
			return "its path holds a character that has to be percent-encoded"
		case c == '\\' || c == '#' || c == '?':
			return "its path holds a character that programs read differently"
		}
	}
	// The client's spelling must also be Go's own, or what is forwarded would be spelt otherwise.
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return "its percent-encoding is broken"
	}
	if (&url.URL{Path: decoded, RawPath: raw}).EscapedPath() != raw {
		return "its path holds a character that has to be percent-encoded"
	}
	if !utf8.ValidString(decoded) {
		return "its path is not UTF-8"
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(raw[1:], "/"), "/") {
		if segment == "" && raw != "/" {
			return "its path has an empty segment"
		}
		if err := checkSegment(segment, maxEncodings); err != "" {
			return err
		}
	}
	return ""
}

// maxEncodings is how many times over a segment may be encoded and still be looked into. A name with a few percent signs
// is one; what goes on is made to be read differently, or to take time.
const maxEncodings = 4

func checkSegment(raw string, left int) string {
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return "its percent-encoding is broken"
	}
	for _, c := range decoded {
		if c < ' ' || c == 0x7f {
			return "its path holds a control character"
		}
	}
	if strings.ContainsAny(decoded, `/\`) {
		return "its path holds an encoded slash"
	}
	name, _, _ := strings.Cut(decoded, ";") // some servers take what follows for a parameter
	if name == "." || name == ".." {
		return "its path holds a dot segment"
	}
	if again, err := url.PathUnescape(decoded); err == nil && again != decoded &&
		(left == 0 || checkSegment(strings.ReplaceAll(decoded, "+", "%2b"), left-1) != "") {
		return "its path is encoded twice"
	}
	return ""
}

// After returns what follows a prefix that the path was routed by, with its leading slash; "/" where nothing
// follows.
func (p Path) After(prefix string) string {
	rest := strings.TrimPrefix(string(p), prefix)
	if !strings.HasPrefix(rest, "/") {
		return "/" + rest
	}
	return rest
}
