package server

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// An image that one person's own credential opens is started by that person: by nobody else, no prebuild, no warm workspace, no AI
// agent, though its files are on the machine by then.
func TestAttack20ImagesOfAPersonsCredential(t *testing.T) {
	registry := imagetest.Serve(t, "ada", "a long password")
	ref := registry.Push(t, "team/private:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "a", Body: "a"})))
	world := gatewaytest.New(t, "")
	payments, _ := world.Engine.Facts().Projects.ByName("payments")
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := &Server{engine: world.Engine, log: log, sealer: sealer, store: storetest.SQLite(t).Open(t, "one"), upstream: upstream.New(upstream.Config{Log: log})}
	s.options.Registries = []config.Registry{{Host: registry.Host}}
	s.makeRegistries()
	ada, grace := identity.UserID{Tenant: "t", Object: "ada"}, identity.UserID{Tenant: "t", Object: "grace"}
	if _, err := s.logins.Login(t.Context(), ada, registry.Host, "ada", "another"); problem.KindOf(err) != problem.Denied {
		t.Errorf("a password that the registry refuses: %v", err)
	}
	if _, err := s.logins.Login(t.Context(), ada, registry.Host, "ada", "a long password"); err != nil {
		t.Fatal(err)
	}
	reach := s.registries()
	t.Cleanup(reach.Transport.(ways).CloseIdleConnections)
	images, err := image.New(image.Config{Dir: t.TempDir(), Transport: reach.Transport, Plain: reach.Plain})
	if err != nil {
		t.Fatal(err)
	}
	start := func(owner identity.UserID, who identity.Principal) ([]string, error) {
		x := &preparing{Server: s, who: who, row: workspace.Workspace{Owner: owner, Project: payments.ID}, say: func(workspace.Phase, string) {}}
		_, err := x.pull(t.Context(), pulls{images}, ref, false)
		return x.opens, err
	}
	person := func(u identity.UserID) identity.Principal { return identity.Principal{Kind: identity.Person, User: u} }
	if opens, err := start(ada, person(ada)); err != nil || !slices.Equal(opens, []string{registry.Host + " person"}) {
		t.Fatalf("their own start: %v %v", opens, err)
	}
	if list, err := s.logins.List(t.Context(), ada); err != nil || len(list) != 1 || list[0].Used.IsZero() {
		t.Errorf("%+v %v", list, err)
	}
	agent := person(ada)
	agent.Agent = "fixer"
	for what, c := range map[string]struct {
		owner identity.UserID
		who   identity.Principal
	}{
		"somebody else":                      {grace, person(grace)},
		"a prebuild":                         {identity.UserID{}, identity.Principal{Kind: identity.Service, Service: "prebuild:payments"}},
		"a service with the owner's row":     {ada, identity.Principal{Kind: identity.Service, Service: "warm:payments"}},
		"somebody else with the owner's row": {ada, person(grace)},
		"the owner with somebody else's row": {grace, person(ada)},
		"nobody":                             {identity.UserID{}, identity.Principal{Kind: identity.Person}},
		"an AI agent of the person's":        {ada, agent},
	} {
		if opens, err := start(c.owner, c.who); problem.KindOf(err) != problem.Denied || !slices.Equal(opens, []string{registry.Host + " none"}) {
			t.Errorf("%s: %v %v", what, opens, err)
		}
	}
	// Without it they do not start either: what they started before is asked for again.
	if err := s.logins.Logout(t.Context(), ada, registry.Host); err != nil {
		t.Fatal(err)
	}
	if _, err := start(ada, person(ada)); problem.KindOf(err) != problem.Denied {
		t.Errorf("after the credential is gone: %v", err)
	}
}

// pulls pulls and does not build.
type pulls struct{ *image.Store }

func (pulls) Build(context.Context, workspace.BuildOrder, func(string)) (workspace.Ready, error) {
	return workspace.Ready{}, problem.New(problem.Invalid, "nothing is built")
}

// A person's password is not sent where lanyard.yaml says that there is no TLS.
func TestAttack11PersonsPasswordInTheClear(t *testing.T) {
	s := &Server{}
	s.options.Registries = []config.Registry{{Host: "registry.example.test:5000", PlainHTTP: true}}
	if err := s.sentInTheClear("Registry.example.test:5000"); problem.KindOf(err) != problem.Invalid {
		t.Error(err)
	}
	for _, ok := range []string{"registry.example.test", "127.0.0.1:5000", "localhost:5000"} {
		if err := s.sentInTheClear(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}
