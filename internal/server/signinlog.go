package server

import (
	"context"
	"errors"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/session/review"
)

// makeReview makes who compares sign-ins with the tenant's log of them, and counts what is used of rights.
func (s *Server) makeReview() (*review.Watcher, error) {
	o := s.options
	c := review.Config{
		Rows: s.store.Fenced(s.replica.lead.Held), Audit: s.audit, Pace: o.Review, Logger: s.log, Live: s.liveSignIns,
		Refused: func(err error) (string, bool) {
			var refused *entra.LogRefused
			return err.Error(), errors.As(err, &refused)
		},
	}
	if o.SignInLog && o.Graph != "" {
		log, err := entra.NewSignInLog(entra.SignInLogConfig{
			Tenant: o.Tenant.ID, ClientID: o.Tenant.ClientID, Credential: o.Tenant.Credential, TokenURL: o.TokenURL, Graph: o.Graph, HTTP: o.HTTP,
		})
		if err != nil {
			return nil, err
		}
		c.Log = log
	}
	return review.New(c), nil
}

// review is run by the replica that leads.
func (s *Server) review(ctx context.Context) {
	w, err := s.makeReview()
	if err != nil { // the directory's source was made from the same options
		s.log.Error("sign-ins cannot be reviewed", "error", err)
		return
	}
	w.Run(ctx)
}

// liveSignIns are the sign-ins that live.
func (s *Server) liveSignIns() []session.SignIn {
	now := time.Now()
	var all []session.SignIn
	for row := range s.sessions.Set().All {
		if row.Ended.IsZero() && now.Before(row.Expires) {
			all = append(all, *row)
		}
	}
	return all
}

// signInLogHealth is for who looks what is wrong.
func (s *Server) signInLogHealth(ctx context.Context) api.SignInLogHealth {
	h := api.SignInLogHealth{Wanted: s.options.SignInLog}
	state, err := s.store.ReviewState(ctx)
	if err == nil {
		h.Read, h.Problem = state.LogRead, state.Problem
		h.Flagged, err = s.store.FlaggedSince(ctx, time.Now().Add(-7*24*time.Hour))
	}
	if err != nil {
		h.Problem = err.Error()
	}
	return h
}
