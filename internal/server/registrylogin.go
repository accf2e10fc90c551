package server

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/setting"
)

// Whose credential opened a registry, as the log says it.
const (
	loginOfPerson = "person"
	loginOfServer = "server"
	loginOfNobody = "none"
)

// login is what opens a registry for one start.
type login struct {
	user, password string
	whose          string
}

// makeRegistries makes people's own credentials for registries, and the room that builds of images share.
func (s *Server) makeRegistries() {
	s.folders = newBuildRoom()
	s.logins = setting.NewRegistries(setting.RegistriesConfig{Rows: s.store, Sealer: s.sealer, Try: s.tryLogin})
}

// forgetLogins removes people's credentials some time after they are gone. ready is closed when it is known who is there.
func (s *Server) forgetLogins(ctx context.Context, ready <-chan struct{}) {
	select {
	case <-ready:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		who := s.directory.Snapshot()
		n, err := s.logins.Forget(ctx, func(u identity.UserID) bool {
			_, here := who.User(u)
			return here
		})
		if err != nil && ctx.Err() == nil {
			s.log.Warn("credentials of people who are gone could not be removed; it is tried again", "error", err)
		} else if n > 0 {
			s.log.Info("removed credentials for registries of people who are gone", "rows", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tryLogin asks a registry whether it takes a person's credential, by the way that images are pulled.
func (s *Server) tryLogin(ctx context.Context, host, user, password string) error {
	if err := s.sentInTheClear(host); err != nil {
		return err
	}
	return s.asking(func(a *image.Asker) error { return a.Try(ctx, host, user, password) })
}

// sentInTheClear refuses to send a person's password where lanyard.yaml says that there is no TLS.
func (s *Server) sentInTheClear(host string) error {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	ip := net.ParseIP(name)
	if name == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	for _, r := range s.options.Registries {
		if r.PlainHTTP && strings.EqualFold(r.Host, host) {
			return problem.New(problem.Invalid, "The registry %s has no TLS (plain_http in lanyard.yaml), and a password is not sent there.", host)
		}
	}
	return nil
}

// asking lets do ask registries.
func (s *Server) asking(do func(*image.Asker) error) error {
	reach := s.registries()
	if t, ok := reach.Transport.(ways); ok {
		defer t.CloseIdleConnections()
	}
	asker, err := image.NewAsker(reach.Transport, reach.Plain)
	if err != nil {
		return err
	}
	return do(asker)
}

// login is what the start has for an image: the credential of who starts, where they have one for its registry and it opens the
// image; else the server's for the project, or nothing.
func (x *preparing) login(ctx context.Context, ref string) (login, error) {
	r, err := image.ParseReference(ref)
	if err != nil {
		return login{}, err
	}
	own, found, err := x.ownLogin(ctx, r.Host())
	if err != nil {
		return login{}, err
	}
	if found {
		err := x.asking(func(a *image.Asker) error {
			_, err := a.Digest(ctx, r, own.user, own.password)
			return err
		})
		if k := problem.KindOf(err); err == nil || k != problem.Denied && k != problem.NotFound {
			return x.opened(ctx, r.Host(), own), nil // where the registry is silent, who pulls says so
		}
		x.say("", "Your own credential does not open the image "+ref+"; it is tried without.")
	}
	return x.serverLogin(ctx, r)
}

func (x *preparing) serverLogin(ctx context.Context, r image.Reference) (login, error) {
	l := login{whose: loginOfNobody}
	var err error
	if l.user, l.password, err = x.registryCredential(r.String(), x.project().Name); err != nil {
		return login{}, err
	}
	if l.user != "" {
		l.whose = loginOfServer
	}
	return x.opened(ctx, r.Host(), l), nil
}

// hostLogin is what the start has for whatever lies on a registry.
func (x *preparing) hostLogin(ctx context.Context, host string) (login, error) {
	own, found, err := x.ownLogin(ctx, host)
	if err != nil || found {
		return x.opened(ctx, host, own), err
	}
	r, err := image.ParseReference(host + "/any")
	if err != nil {
		return login{}, err
	}
	return x.serverLogin(ctx, r)
}

// ownLogin is the credential of who starts a workspace of their own. A service that makes a prebuild, and whatever else acts for
// nobody or for somebody else, has none.
func (x *preparing) ownLogin(ctx context.Context, host string) (l login, found bool, err error) {
	who := x.who
	if x.logins == nil || who.Kind != identity.Person || who.Agent != "" || who.User != x.row.Owner || x.row.Owner == (identity.UserID{}) || x.sentInTheClear(host) != nil {
		return login{}, false, nil
	}
	l.whose = loginOfPerson
	l.user, l.password, found, err = x.logins.Open(ctx, x.row.Owner, host)
	if err != nil {
		return login{}, false, problem.Wrap(err, problem.Unavailable, "Your own credential for the registry %s cannot be read now. Try again in a moment, or store it anew: lanyard registry login %s", host, host)
	}
	return l, found, nil
}

// opened notes what a registry is opened with: for the log, and for who looks at their own.
func (x *preparing) opened(ctx context.Context, host string, l login) login {
	if entry := host + " " + l.whose; !slices.Contains(x.opens, entry) {
		x.opens = append(x.opens, entry)
		if l.whose == loginOfPerson {
			if err := x.logins.Used(ctx, x.row.Owner, host); err != nil {
				x.log.Warn("the use of a person's credential could not be noted", "registry", host, "error", err)
			}
		}
	}
	return l
}
