package gitproxy

import (
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// service is one of the two services of the smart protocol (gitprotocol-http).
type service string

const (
	uploadPack  service = "git-upload-pack"  // clone, fetch, ls-remote
	receivePack service = "git-receive-pack" // push
)

// call is what a request's address and method mean.
type call struct {
	repository string // canonical URL
	service    service
	advertise  bool // GET info/refs, the first request of each clone, fetch and push
}

// parse reads the address of a request. Only the smart protocol's four requests have a meaning.
func parse(r *http.Request) (call, error) {
	path, err := gateway.PathOf(r)
	if err != nil {
		return call{}, err
	}
	rest := path.After(strings.TrimSuffix(gateway.GitPrefix, "/"))[1:]
	var c call
	var where string
	switch {
	case cut(rest, "/info/refs", &where):
		query := r.URL.Query()
		if r.URL.RawQuery != "service="+query.Get("service") {
			return call{}, problem.New(problem.Denied,
				"Lanyard speaks Git's smart HTTP protocol only; this client asked for files of the repository instead.")
		}
		c.service, c.advertise = service(query.Get("service")), true
	case cut(rest, "/"+string(uploadPack), &where):
		c.service = uploadPack
	case cut(rest, "/"+string(receivePack), &where):
		c.service = receivePack
	default:
		return call{}, problem.New(problem.NotFound, "This is not an address that git asks for.")
	}
	if c.service != uploadPack && c.service != receivePack {
		return call{}, problem.New(problem.Denied, "Lanyard serves fetch and push, and no other service of Git.")
	}
	want := http.MethodPost
	if c.advertise {
		want = http.MethodGet
	}
	if r.Method != want {
		return call{}, problem.New(problem.Denied, "Git asks for this address with %s, not %s.", want, r.Method)
	}
	if !c.advertise && r.URL.RawQuery != "" {
		return call{}, problem.New(problem.Invalid, "Git asks for this address without a query.")
	}
	if c.repository, err = project.CanonicalRepository("https://" + where); err != nil {
		return call{}, problem.Wrap(err, problem.Invalid, "This is not the address of a repository.")
	}
	return c, nil
}

func cut(path, suffix string, before *string) bool {
	rest, ok := strings.CutSuffix(path, suffix)
	*before = rest
	return ok && rest != ""
}

// requestType and answerType are the content types of the service's POST; advertised is that of info/refs.
func (s service) requestType() string { return "application/x-" + string(s) + "-request" }
func (s service) answerType() string  { return "application/x-" + string(s) + "-result" }
func (s service) advertised() string  { return "application/x-" + string(s) + "-advertisement" }
