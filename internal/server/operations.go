package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/observe"
	"github.com/lanyardhq/lanyard/internal/telemetry"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Operations are what operators see of the server. The zero Operations shows nothing and costs nothing.
type Operations struct {
	Listener net.Listener // of health, readiness, metrics and profiles; nil: none
	Hosts    []string     // names under which it is asked, beside localhost and addresses
	Requests string       // file of the requests' records, or "stderr"; empty: none
	Traces   string       // URL of an OTLP/HTTP receiver; empty: none
	Sample   float64      // part of the requests that are traced
}

// watch is what the server keeps for its operators.
type watch struct {
	sites   []*observe.Site
	site    *telemetry.Operations
	records *telemetry.Records
	traces  *telemetry.Traces
	file    io.Closer // of the records
}

// makeWatch comes before the sites, which count their requests in it.
func (s *Server) makeWatch(ctx context.Context) (err error) {
	o := s.options.Operations
	if o.Requests != "" {
		if s.watch.records, s.watch.file, err = telemetry.NewRecords(o.Requests, s.log); err != nil {
			return fmt.Errorf("open the requests' records: %w", err)
		}
	}
	if o.Traces != "" {
		if s.watch.traces, err = telemetry.NewTraces(ctx, telemetry.TracesConfig{
			Endpoint: o.Traces, Sample: o.Sample, Version: s.options.Version, Log: s.log,
		}); err != nil {
			return err
		}
	}
	if o.Listener == nil {
		return nil
	}
	s.watch.site, err = telemetry.New(telemetry.Config{
		Version: s.options.Version, State: s.state, NotReady: s.notReady, Hosts: o.Hosts, Log: s.log,
	})
	return err
}

// meter gives a site who counts its requests.
func (s *Server) meter(site string) *observe.Site {
	m := &observe.Site{Name: site}
	s.watch.sites = append(s.watch.sites, m)
	return m
}

// sink is where the records of requests go; nil when nobody wants them.
func (s *Server) sink() observe.Sink {
	if s.watch.records == nil && s.watch.traces == nil {
		return nil
	}
	return telemetry.Sink{Records: s.watch.records, Traces: s.watch.traces, Inside: func(r *http.Request) bool {
		_, inside := tunnel.WorkspaceFrom(r.Context())
		return inside
	}}
}

// decided tells the request that is being served what was decided for it.
func decided(ctx context.Context, r access.Request, d access.Decision, l *access.Lease) {
	web.Decided(ctx, r, d, l)
}

// endWatch writes and sends what was not yet.
func (s *Server) endWatch() {
	if s.watch.traces != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := s.watch.traces.Close(ctx); err != nil {
			s.log.Warn("the last traces were not sent", "error", err)
		}
	}
	if s.watch.file != nil {
		if err := s.watch.file.Close(); err != nil {
			s.log.Warn("the requests' records could not be closed", "error", err)
		}
	}
}

// state is what the metrics show.
func (s *Server) state() telemetry.State {
	directory := s.engine.Facts().Directory
	users, groups := directory.Counts()
	st := telemetry.State{
		Sites: s.watch.sites, Access: s.engine.Figures(), Audit: s.audit.Status(), Workspaces: map[string]int{},
		Directory: telemetry.Directory{
			AsOf: directory.AsOf(), Users: users, Groups: groups, Sweep: s.options.Sweep, Stale: s.options.Stale,
		},
		Feed:  telemetry.Feed{Seq: int64(s.engine.Facts().Seq)},
		Store: s.store.Transactions(),
	}
	st.Refused = s.listener.refused.Load()
	if s.certificates != nil {
		for _, c := range s.certificates.Held() {
			st.Certificates = append(st.Certificates, telemetry.Certificate{Name: c.Names[0], Until: c.Until})
		}
	}
	if graph := s.graph.Load(); graph != nil {
		g := graph.State()
		st.Graph = &telemetry.Graph{Requests: g.Requests, Throttled: g.Throttled, Failed: g.Failed, Resyncs: g.Resyncs, Failing: !g.Failing.IsZero(), Pages: map[string]int{}}
		for _, reading := range g.Reading {
			st.Graph.Pages[reading.Of] = reading.Pages
		}
	}
	f := s.provision.Figures()
	st.Provisioning = &telemetry.Provisioning{Requests: f.Requests, Refused: f.Refused, Failed: f.Failed, Last: f.Last}
	st.Feed.Behind = s.behind()
	for _, row := range s.workspaces.List() {
		st.Workspaces[string(row.Phase)]++
		if s.hub.Connected(row.ID) {
			st.Tunnels++
		}
	}
	for _, d := range s.workspaces.Disks() {
		st.Disks = append(st.Disks, telemetry.Disk{Path: d.Path, Size: d.Size, Free: d.Free, Reserve: d.Reserve, Low: d.Low, Files: d.Files, FreeFiles: d.FreeFiles})
	}
	for _, w := range s.workspaces.Warm() { // in order
		if n := len(st.Warm); n == 0 || st.Warm[n-1].Project != w.Name || st.Warm[n-1].Class != w.Class {
			st.Warm = append(st.Warm, telemetry.Warm{Project: w.Name, Class: w.Class})
		}
		sum := &st.Warm[len(st.Warm)-1]
		sum.Wanted, sum.Ready, sum.Making = sum.Wanted+w.Count, sum.Ready+w.Ready, sum.Making+w.Making
		sum.Failing = sum.Failing || w.Message != ""
	}
	if s.watch.records != nil {
		st.Records = s.watch.records.Dropped()
	}
	return st
}

// readyWithin is how long the database may take to answer before the server counts as not ready.
const readyWithin = 2 * time.Second

// notReady says why the server should get no requests.
func (s *Server) notReady(ctx context.Context) []string {
	var why []string
	select {
	case <-s.projects.settled:
	default:
		why = append(why, "projects and the directory have not been read yet")
	}
	switch asOf := s.engine.Facts().Directory.AsOf(); {
	case asOf.IsZero():
		why = append(why, "the directory was never read")
	case time.Since(asOf) > s.options.Stale:
		why = append(why, fmt.Sprintf("the directory is %s old, and nothing new is allowed beyond %s: Microsoft Graph does not answer, or refuses Lanyard's credential",
			time.Since(asOf).Round(time.Second), s.options.Stale))
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if _, err := s.store.FeedHead(ctx); err != nil {
		why = append(why, "the database does not answer")
	}
	if st := s.audit.Status(); st.Problem != "" {
		why = append(why, "the audit log is not written: "+st.Problem)
	}
	if late := s.behind(); access.TooFarBehind(late) {
		why = append(why, fmt.Sprintf("the other replicas have not been heard of for %s, through the database", late.Round(time.Second)))
	}
	if s.stopping.Load() {
		why = append(why, "the server is being stopped")
	}
	return why
}
