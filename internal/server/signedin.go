package server

import (
	"context"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/directory/signedin"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// makeSignedIn makes the directory of what people's own sign-ins say, where Lanyard may not read the tenant.
func (s *Server) makeSignedIn() error {
	o := s.options
	if o.Members != config.FromSignIn {
		return nil
	}
	people, err := entra.NewPeople(entra.PeopleConfig{Tenant: o.Tenant.ID, Graph: o.Graph, HTTP: o.HTTP})
	if err != nil {
		return err
	}
	s.signedIn = signedin.New(signedin.Config{
		Tenant: o.Tenant.ID, Names: o.Tenant.OIDC != nil, Directory: s.directory, Sweep: o.Sweep, Trust: o.Stale, Log: s.log, SignIns: s.latestSignIns,
		Again: func(ctx context.Context, id identity.SignInID) (signedin.Sighting, error) {
			return s.signin.Again(ctx, id)
		},
		Groups: func(ctx context.Context, token string) ([]identity.GroupID, error) {
			return people.MemberObjects(ctx, token, true)
		},
	})
	return nil
}

// seen is who keeps what tokens say of people; nil where the directory is read.
func (s *Server) seen() func(context.Context, signedin.Sighting) error {
	if s.signedIn == nil {
		return nil
	}
	return s.signedIn.Seen
}

// latestSignIns are the sign-ins that live, of each person the latest.
func (s *Server) latestSignIns() map[identity.UserID]identity.SignInID {
	set := s.sessions.Set()
	all := map[identity.UserID]identity.SignInID{}
	for row := range set.All {
		if !row.Ended.IsZero() {
			continue
		}
		if id, ok := all[row.User]; ok {
			if other, _ := set.SignIn(id); !row.At.After(other.At) {
				continue
			}
		}
		all[row.User] = row.ID
	}
	return all
}
