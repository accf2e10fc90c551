package issuer

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/session"
)

// How clients authenticate (RFC 7591 section 2).
const (
	authNone  = "none"
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
)

// CLI is the client ID of Lanyard's own command-line program.
const CLI = session.CLI

// Client is a program that may ask people for tokens.
type Client struct {
	ID   string
	Name string // as people are shown it
	// RedirectURIs are where codes go, compared byte for byte; of one on a loopback address without a port the port is the
	// client's to choose (RFC 8252 section 7.3).
	RedirectURIs []string
	// Secret is the SHA-256 of the client's secret; zero for a client that cannot keep one, whose tokens are then bound to a
	// key of its own.
	Secret [32]byte
	// Own is Lanyard's own program, whose tokens open Lanyard's API. Others learn who somebody is.
	Own    bool
	Device bool // it may use the device flow
	// Audiences are the names of the audiences that the client is: it may ask about the tokens that were minted for them,
	// and exchange those. It has a secret then.
	Audiences []string
	// Exchange are the names of the audiences that it may exchange tokens for.
	Exchange []string
	Requests int // how many requests it may make in a minute, wherever from; 0: no bound of its own
}

func cli() Client {
	return Client{
		ID: CLI, Name: "the lanyard command", Own: true, Device: true,
		RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]/callback"},
	}
}

// public reports that the client has no secret.
func (c *Client) public() bool { return c.Secret == [32]byte{} }

// redirects reports whether a code may be sent to an address.
func (c *Client) redirects(to string) bool {
	for _, registered := range c.RedirectURIs {
		if registered == to || loopbackOf(registered, to) {
			return true
		}
	}
	return false
}

// loopbackOf reports whether an address is a registered one on loopback with some port put in, and nothing else changed.
func loopbackOf(registered, to string) bool {
	r, err := url.Parse(registered)
	if err != nil || r.Scheme != "http" || r.Port() != "" {
		return false
	}
	ip, err := netip.ParseAddr(r.Hostname())
	if err != nil || !ip.IsLoopback() {
		return false
	}
	u, err := url.Parse(to)
	if err != nil || u.Port() == "" {
		return false
	}
	return strings.Replace(to, u.Host, r.Host, 1) == registered && u.Host == r.Host+":"+u.Port()
}

// client finds and authenticates the client of a request. A client with a secret must show it, once and in one way
// (RFC 6749 section 2.3). Whoever does not know it is counted by their address, and a
// client with a secret by all that it asks. One without shows nothing that others do not know, so what is asked in its name is
// not counted for it: the endpoints count addresses.
func (s *Issuer) client(r *http.Request) (*Client, error) {
	id, secret, basic, err := shownClient(r)
	if err != nil {
		return nil, err
	}
	client := s.clients[id]
	if !knows(client, secret) {
		if err := s.serve(r); err != nil {
			return nil, err
		}
		if basic {
			return nil, basicRefusal("The client is not known, or its secret is wrong.")
		}
		return nil, refuse(invalidClient, "The client is not known, or its secret is wrong.")
	}
	if !client.public() && !s.rates[id].may(s.c.Now()) {
		return nil, tooMany("This client asks too often. Try again in a minute.")
	}
	return client, nil
}

// shownClient reads what a request says of its client: in the header, or in its form.
func shownClient(r *http.Request) (id, secret string, basic bool, err error) {
	id, secret, basic = r.BasicAuth()
	if basic {
		var errID, errSecret error
		id, errID = url.QueryUnescape(id) // RFC 6749 section 2.3.1
		secret, errSecret = url.QueryUnescape(secret)
		if errID != nil || errSecret != nil || r.PostForm.Has("client_secret") {
			return "", "", true, basicRefusal("The client authenticates in two ways, or in none that can be read.")
		}
		if named := r.PostForm.Get("client_id"); named != "" && named != id {
			return "", "", true, basicRefusal("The request names two clients.")
		}
	} else {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id == "" {
		return "", "", basic, refuse(invalidClient, "The request names no client.")
	}
	return id, secret, basic, nil
}

// knows reports whether who calls itself a client shows its secret, or shows none where it has none.
func knows(c *Client, secret string) bool {
	switch {
	case c == nil:
		return false
	case c.public():
		return secret == ""
	}
	hash := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(hash[:], c.Secret[:]) == 1
}

func basicRefusal(text string) error {
	r := refuse(invalidClient, "%s", text)
	r.scheme = `Basic realm="lanyard",`
	return r
}

// form reads the body of a request, in which each parameter stands once (RFC 6749 section 3.2).
func form(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return refuse(invalidRequest, "The request's Content-Type is not application/x-www-form-urlencoded.")
	}
	if err := r.ParseForm(); err != nil {
		return refuse(invalidRequest, "The request's body cannot be read as a form.")
	}
	return once(r.PostForm)
}

// once refuses parameters that stand twice; resource and audience may (RFC 8707, RFC 8693).
func once(values url.Values) error {
	for name, list := range values {
		if len(list) > 1 && name != "resource" && name != "audience" {
			return refuse(invalidRequest, "The parameter %s stands twice.", quoted(name))
		}
	}
	return nil
}

// scopes are those that there are.
var scopes = []string{"openid", "profile", "offline_access"}

// scope checks the scopes asked for. Of unknown ones nothing is given (RFC 6749 section 3.3 leaves it to the server).
func scope(asked string) (given []string) {
	for _, one := range strings.Fields(asked) {
		if slices.Contains(scopes, one) && !slices.Contains(given, one) {
			given = append(given, one)
		}
	}
	return given
}
