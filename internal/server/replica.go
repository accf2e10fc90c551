package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
)

const (
	beatEvery = time.Second            // how often a replica shows that it lives
	ageEvery  = 2 * time.Second        // how often a follower asks how old the directory is
	lookEvery = 200 * time.Millisecond // how often it is looked whether this replica is too far behind
)

// replica is this server's part among those on one database.
type replica struct {
	node    string // of this data folder, for ever
	from    feed.Seq
	lead    *feed.Lead // of what one replica does for all: directory, folders, retention
	home    *feed.Lead // of this node's workspaces
	several atomic.Bool
	rings   chan struct{} // the tenant rang here, and another replica reads the directory
	renew   atomic.Bool   // the subscriptions are to be renewed, besides
	started time.Time
}

// join finds this replica's place: from where it follows, and what it does alone. It comes before anything is loaded,
// so that nothing is missed between.
func (s *Server) join(ctx context.Context) (err error) {
	r := &s.replica
	r.started, r.rings = time.Now(), make(chan struct{}, 1)
	if r.node, err = nodeID(s.options.Data); err != nil {
		return err
	}
	if err := s.store.LeaveNode(ctx, r.node); err != nil { // an earlier process of this folder, which is locked
		return err
	}
	if r.from, err = s.store.FeedHead(ctx); err != nil {
		return err
	}
	s.follower.Store(feed.NewFollower(feed.FollowerConfig{
		Source: s.store, Origin: s.origin, Log: s.log, Handle: s.apply, Reload: s.reload,
	}))
	beat := time.Duration(0)
	if !s.shared() { // nobody watches
		beat = time.Minute
	}
	holder := r.node + "/" + s.origin
	r.lead = feed.NewLead(feed.LeadConfig{
		Terms: s.store, Work: "installation", Holder: holder, Alone: !s.shared(), Beat: beat, Log: s.log,
		Gone: func(other string) bool { return other != holder && strings.HasPrefix(other, r.node+"/") }, // this folder is locked
		Gained: func(ctx context.Context) error {
			if s.directory == nil { // at the start: nothing to forget
				return nil
			}
			return s.directory.Yield(ctx)
		},
	})
	r.home = feed.NewLead(feed.LeadConfig{
		Terms: s.store, Work: "node/" + r.node, Holder: holder, Alone: true, Beat: time.Minute, Log: s.log,
	})
	for _, l := range []*feed.Lead{r.lead, r.home} {
		if _, err := l.Try(ctx); err != nil {
			return fmt.Errorf("look who leads: %w", err)
		}
	}
	return s.beat(ctx)
}

// shared reports whether other servers may be at work on the same database.
func (s *Server) shared() bool { return s.options.PostgreSQL != "" }

// leading reports whether this replica believes to do what one does for all.
func (s *Server) leading() bool {
	_, ok := s.replica.lead.Held()
	return ok
}

// behind is how old the facts may be because of other replicas; zero when there are none.
func (s *Server) behind() time.Duration {
	if !s.replica.several.Load() {
		return 0
	}
	return s.follower.Load().Behind()
}

// beat shows that this replica lives, and learns whether there are others. What was known last stands while the
// database does not answer.
func (s *Server) beat(ctx context.Context) error {
	keys := s.sealer.KeyIDs()
	all, err := s.store.Beat(ctx, store.Replica{
		ID: s.origin, Node: s.replica.node, Address: s.peers.address(), Started: s.replica.started, Seen: time.Now(), Reads: keys, Seals: keys[0],
	})
	if err != nil {
		return err
	}
	s.replica.several.Store(len(all) > 1)
	s.peers.learn(all)
	return nil
}

// live beats until ctx ends.
func (s *Server) live(ctx context.Context) {
	every := beatEvery
	if !s.shared() {
		every = 10 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := s.store.Leave(brief, s.origin); err != nil {
				s.log.Debug("say that this replica has ended", "error", err)
			}
			return
		case <-tick.C:
			s.readKeys()
			limited, cancel := context.WithTimeout(ctx, 5*time.Second)
			if err := s.beat(limited); err != nil {
				s.log.Debug("show that this replica lives", "error", err)
			}
			cancel()
		}
	}
}

// keepUp follows the feed until ctx ends, closes what is open when this replica falls too far behind, and learns from
// the database how old the directory is that another replica reads.
func (s *Server) keepUp(ctx context.Context) {
	follower := s.follower.Load()
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { s.store.Listen(ctx, follower.Wake) })
	parts.Go(func() { s.ring(ctx) })
	parts.Go(func() { _ = follower.Run(ctx, s.replica.from) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	lost, asked := false, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if late := access.TooFarBehind(s.behind()); late != lost {
			lost = late
			cut := s.engine.Publish(func(f access.Facts) access.Facts { return f }, access.Touched{All: true})
			if late {
				s.log.Error("this replica does not hear from the database; what is open closes, because others may have taken it away", "closed", cut)
			} else {
				s.log.Info("this replica hears from the database again")
			}
		}
		if s.shared() && !s.leading() && time.Since(asked) >= ageEvery {
			asked = time.Now()
			s.learnAge(ctx)
		}
	}
}

func (s *Server) learnAge(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ageEvery)
	defer cancel()
	asOf, seq, err := s.store.DirectoryAge(ctx)
	if err == nil && s.follower.Load().Seq() >= seq {
		s.directory.Refreshed(asOf)
	}
}

// nodeID is the name of a data folder, made at its first use.
func nodeID(data string) (string, error) {
	path := filepath.Join(data, "node")
	text, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(text))) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the data folder's name: %w", err)
	}
	id := "n-" + random()[:16]
	if err := os.WriteFile(path, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("name the data folder: %w", err)
	}
	return id, nil
}

// elsewhere says where a workspace lives that this node does not run; empty when it does.
func (s *Server) elsewhere(id identity.WorkspaceID) string {
	row, ok := s.workspaces.Get(id)
	if !ok || row.Node == s.replica.node {
		return ""
	}
	return row.Node
}
