package setting

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Bounds of a person's credentials for registries.
const (
	MaxRegistries       = 20      // of one person
	maxRegistryUser     = 255     // bytes
	maxRegistryPassword = 8 << 10 // bytes: tokens of clouds are JWTs
)

// Hub is what images of Docker Hub have as their host, and what people call it.
const (
	hub      = "index.docker.io"
	hubNamed = "docker.io"
)

// RegistryLogin is a person's own credential for a registry of images, without its password.
type RegistryLogin struct {
	Owner   identity.UserID
	Host    string // with its port if it says one; Docker Hub's is index.docker.io, as images have it
	User    string
	Changed time.Time
	Used    time.Time // when it last opened an image; zero: never
}

// Named is the registry as people call it.
func (l RegistryLogin) Named() string {
	if l.Host == hub {
		return hubNamed
	}
	return l.Host
}

// RegistryLoginRow is one as it is stored.
type RegistryLoginRow struct {
	RegistryLogin
	Sealed []byte // the password
}

// RegistryLoginRows stores them.
type RegistryLoginRows interface {
	// RegistryLogins are those of a user, by host.
	RegistryLogins(ctx context.Context, u identity.UserID) ([]RegistryLoginRow, error)
	// AllRegistryLogins are everybody's.
	AllRegistryLogins(ctx context.Context) ([]RegistryLoginRow, error)
	// PutRegistryLogin adds one, or replaces that of the same user and host.
	PutRegistryLogin(ctx context.Context, r RegistryLoginRow) error
	// DropRegistryLogin removes one; found is false where there is none.
	DropRegistryLogin(ctx context.Context, u identity.UserID, host string) (found bool, err error)
	// UseRegistryLogin notes when one opened an image.
	UseRegistryLogin(ctx context.Context, u identity.UserID, host string, at time.Time) error
}

// RegistriesConfig makes Registries. All fields are required but Now.
type RegistriesConfig struct {
	Rows   RegistryLoginRows
	Sealer Sealer
	// Try asks a registry whether it takes a credential; what it refuses is not kept.
	Try func(ctx context.Context, host, user, password string) error
	Now func() time.Time // nil: time.Now
}

// Registries are people's own credentials for registries of images: each is used for what its owner starts, and for nobody else.
type Registries struct {
	c     RegistriesConfig
	tries tries
}

// NewRegistries returns Registries.
func NewRegistries(c RegistriesConfig) *Registries {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Registries{c: c, tries: tries{of: map[identity.UserID]*triesOf{}}}
}

// RegistrySealedAs is what a password is sealed as: it cannot be put in the place of another's, nor be sent elsewhere.
func RegistrySealedAs(u identity.UserID, host string) string {
	return "registry " + host + " of user " + u.Key()
}

var registryHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$`)

// RegistryHost is a registry's host as images have it; what is none is a problem.Invalid.
func RegistryHost(text string) (string, error) {
	host := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(text)), "/")
	if scheme, _, ok := strings.Cut(host, "://"); ok {
		return "", problem.New(problem.Invalid, "Leave %s:// out: a registry is named as images name it, such as registry.example.com.", shortened(scheme))
	}
	switch {
	case strings.Contains(host, "@"): // what stands before it is not said again
		return "", problem.New(problem.Invalid, "A registry is named without a user and a password in it.")
	case host == hubNamed || host == hub || host == "registry-1.docker.io":
		return hub, nil
	case !registryHost.MatchString(host) || !strings.ContainsAny(host, ".:") && host != "localhost":
		return "", problem.New(problem.Invalid, "%q is no registry: it is named as images name it, host or host:port, such as registry.example.com.", shortened(text))
	}
	return host, nil
}

// Login keeps a credential in the place of the one that the person had for that registry, once the registry has taken it. It
// returns what is kept.
func (s *Registries) Login(ctx context.Context, u identity.UserID, host, user, password string) (RegistryLogin, error) {
	host, err := RegistryHost(host)
	if err != nil {
		return RegistryLogin{}, err
	}
	l := RegistryLogin{Owner: u, Host: host, User: user, Changed: s.c.Now()}
	switch {
	case user == "" || len(user) > maxRegistryUser || strings.ContainsRune(user, ':') || !printable(user):
		return l, problem.New(problem.Invalid, "The registry %s wants a user's name, without a colon. Registries that take a token alone say which name goes with it.", l.Named())
	case password == "":
		return l, problem.New(problem.Invalid, "There is no password or token for the registry %s.", l.Named())
	case len(password) > maxRegistryPassword || !printable(password):
		return l, problem.New(problem.Invalid, "The password for the registry %s is longer than %d bytes, or no text of one line.", l.Named(), maxRegistryPassword)
	}
	rows, err := s.c.Rows.RegistryLogins(ctx, u)
	if err != nil {
		return l, err
	}
	known := slices.ContainsFunc(rows, func(r RegistryLoginRow) bool { return r.Host == host })
	if !known && len(rows) >= MaxRegistries {
		return l, problem.New(problem.TooLarge, "You have credentials for %d registries, which is the most that is kept. Remove one first: lanyard registry logout HOST", MaxRegistries)
	}
	if err := s.tries.take(u, l, l.Changed); err != nil {
		return l, err
	}
	if err := s.c.Try(ctx, host, user, password); err != nil {
		return l, err
	}
	return l, s.c.Rows.PutRegistryLogin(ctx, RegistryLoginRow{RegistryLogin: l, Sealed: s.c.Sealer.Seal(RegistrySealedAs(u, host), []byte(password))})
}

// Logout removes a credential. One that is not there is a problem.NotFound.
func (s *Registries) Logout(ctx context.Context, u identity.UserID, host string) error {
	host, err := RegistryHost(host)
	if err != nil {
		return err
	}
	found, err := s.c.Rows.DropRegistryLogin(ctx, u, host)
	if err == nil && !found {
		return problem.New(problem.NotFound, "You have stored no credential for the registry %s. `lanyard registry list` shows for which you have.", RegistryLogin{Host: host}.Named())
	}
	return err
}

// List lists a person's.
func (s *Registries) List(ctx context.Context, u identity.UserID) ([]RegistryLogin, error) {
	rows, err := s.c.Rows.RegistryLogins(ctx, u)
	if err != nil {
		return nil, err
	}
	list := make([]RegistryLogin, 0, len(rows))
	for _, r := range rows {
		list = append(list, r.RegistryLogin)
	}
	return list, nil
}

// Open is what a person has for a registry, named as images name it; found is false where there is nothing.
func (s *Registries) Open(ctx context.Context, u identity.UserID, host string) (user, password string, found bool, err error) {
	rows, err := s.c.Rows.RegistryLogins(ctx, u)
	if err != nil {
		return "", "", false, err
	}
	for _, r := range rows {
		if r.Host != strings.ToLower(host) {
			continue
		}
		plain, err := s.c.Sealer.Open(RegistrySealedAs(u, r.Host), r.Sealed)
		if err != nil {
			return "", "", false, fmt.Errorf("open the credential for %s: %w", r.Host, err)
		}
		return r.User, string(plain), true, nil
	}
	return "", "", false, nil
}

// Used notes that it opened an image now.
func (s *Registries) Used(ctx context.Context, u identity.UserID, host string) error {
	return s.c.Rows.UseRegistryLogin(ctx, u, strings.ToLower(host), s.c.Now())
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
