package telemetry

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/lanyardhq/lanyard/internal/observe"
)

// metrics reads a State whenever it is asked, so that counting costs nobody else anything.
type metrics struct {
	state   func() State
	version string
}

func newRegistry(m metrics) (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m,
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("lanyard_"+name, help, labels, nil)
}

// what is measured, by name. docs/operations.md lists the same.
type descriptions struct {
	build, requests, durations, decisions, cached, leases, cuts, closing, defects                                *prometheus.Desc
	directoryAge, directorySweep, directoryStale, directoryUsers, directoryGroups                                *prometheus.Desc
	feedSeq, feedBehind, auditSize, auditLag, exportLag, exportFailing, auditDropped, auditFailing, auditLeading *prometheus.Desc
	tunnels, workspaces, warm, warmFailing, store, recordsDropped, connectionsRefused, certificates              *prometheus.Desc
	graphRequests, graphThrottled, graphFailed, graphResyncs, graphFailing, graphPages                           *prometheus.Desc
	scimRequests, scimLast, scimFailed                                                                           *prometheus.Desc
	diskSize, diskFree, diskReserve, diskLow, diskFiles                                                          *prometheus.Desc
}

func described() descriptions {
	return descriptions{
		build:              describe("build_info", "The version that runs; always 1.", "version", "go"),
		requests:           describe("requests_total", "Requests that have ended.", "site", "outcome"),
		durations:          describe("request_duration_seconds", "From a request's first line to the end of its answer.", "site"),
		decisions:          describe("decisions_total", "Decisions that were asked for, by what was decided and, for refusals, why.", "effect", "code"),
		cached:             describe("decisions_cached_total", "Decisions to allow that needed no evaluation of policies."),
		leases:             describe("leases_open", "Allowed accesses that are open now.", "action", "principal"),
		cuts:               describe("cuts_total", "Leases that were closed because a fact changed.", "code"),
		closing:            describe("cut_close_seconds", "From the cut of a lease to the end of its connections, its goodbye included."),
		defects:            describe("lease_defects_total", "Leases that outlived a fact and were closed by the recheck only. Any is a fault of Lanyard's."),
		directoryAge:       describe("directory_age_seconds", "How old the directory in use is."),
		directorySweep:     describe("directory_sweep_interval_seconds", "How often the directory is read without a notification."),
		directoryStale:     describe("directory_stale_after_seconds", "The age beyond which nothing new is allowed."),
		directoryUsers:     describe("directory_users", "Users in the directory."),
		directoryGroups:    describe("directory_groups", "Groups in the directory."),
		feedSeq:            describe("feed_sequence", "The number of the last change that the facts in use contain."),
		feedBehind:         describe("feed_behind_seconds", "How long it is since this process knew all changes."),
		auditSize:          describe("audit_log_size", "Events in the log's tree, as far as this process knows."),
		auditLag:           describe("audit_lag_events", "Events that were given and cannot be searched for yet."),
		exportLag:          describe("audit_export_lag_events", "Events that a receiver has not surely got.", "receiver"),
		exportFailing:      describe("audit_export_failing", "1 while a receiver gets nothing.", "receiver"),
		auditDropped:       describe("audit_dropped_total", "Events that could not be kept."),
		auditFailing:       describe("audit_failing", "1 while the log or a copy of its checkpoints cannot be written."),
		auditLeading:       describe("audit_leading", "1 while this process is the one that writes the log's tree."),
		tunnels:            describe("tunnels", "Workspaces that are connected."),
		workspaces:         describe("workspaces", "Workspaces by what was last observed of them.", "phase"),
		warm:               describe("warm_workspaces", "Workspaces that are made ahead and belong to nobody yet: wanted, ready, making.", "project", "class", "state"),
		warmFailing:        describe("warm_workspaces_failing", "1 if there is a reason why not as many are made ahead as are wanted: room, or an error.", "project", "class"),
		store:              describe("store_transaction_seconds", "Transactions that may write, from begin to commit."),
		recordsDropped:     describe("request_records_dropped_total", "Request records that could not be kept because they were not written fast enough."),
		graphRequests:      describe("graph_requests_total", "Requests that were sent to Microsoft Graph to read the directory, repeated ones too."),
		graphThrottled:     describe("graph_throttled_total", "Requests that Microsoft Graph answered with 429."),
		graphFailed:        describe("graph_failed_total", "Requests that Microsoft Graph did not answer, or with an error that may pass."),
		graphResyncs:       describe("directory_resyncs_total", "Times that users or groups were read whole."),
		graphPages:         describe("directory_reading_pages", "Pages that a reading of everything that is under way has so far.", "of"),
		graphFailing:       describe("directory_failing", "1 while the directory cannot be read from Microsoft Graph."),
		scimRequests:       describe("provisioning_requests_total", "Requests of provisioning services, by whether their credential was accepted or refused.", "credential"),
		scimLast:           describe("provisioning_last_request_timestamp_seconds", "When the provisioning service was last heard of here."),
		scimFailed:         describe("provisioning_apply_failures_total", "Times that what was provisioned could not be applied to the directory and was tried again."),
		diskSize:           describe("disk_size_bytes", "Size of a file system that workspaces' files or the server's data lie on, by a folder on it.", "path"),
		diskFree:           describe("disk_free_bytes", "What is free there.", "path"),
		diskReserve:        describe("disk_reserve_bytes", "What workspaces leave free there.", "path"),
		diskLow:            describe("disk_low", "1 while less is free there than the reserve: no workspace starts.", "path"),
		diskFiles:          describe("disk_free_files", "How many files more there may be there, where that is bounded.", "path"),
		certificates:       describe("certificate_expires_timestamp_seconds", "When a certificate ends that the server shows, by the first of its names.", "name"),
		connectionsRefused: describe("connections_refused_total", "Connections refused because their address had too many open."),
	}
}

// Describe implements prometheus.Collector. The labels of some metrics are known only when they are read.
func (m metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m metrics) Collect(to chan<- prometheus.Metric) {
	s, d := m.state(), described()
	gauge := func(of *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, v, labels...)
	}
	count := func(of *prometheus.Desc, v int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(of, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(d.build, 1, m.version, runtime.Version())
	for _, site := range s.Sites {
		for o := range observe.Outcomes {
			count(d.requests, site.Requests(o), site.Name, o.String())
		}
		to <- histogram(d.durations, site.Durations(), site.Name)
	}
	count(d.decisions, s.Access.Allowed, "allow", "")
	for _, r := range s.Access.Refused {
		count(d.decisions, r.Count, r.Effect, r.Code)
	}
	count(d.cached, s.Access.Cached)
	for open, n := range s.Access.Open {
		gauge(d.leases, float64(n), open.Action, open.Principal)
	}
	for code, n := range s.Access.Cuts {
		count(d.cuts, n, string(code))
	}
	to <- histogram(d.closing, s.Access.Closing)
	count(d.defects, s.Access.Defects)
	if !s.Directory.AsOf.IsZero() {
		gauge(d.directoryAge, time.Since(s.Directory.AsOf).Seconds())
	}
	gauge(d.directorySweep, s.Directory.Sweep.Seconds())
	gauge(d.directoryStale, s.Directory.Stale.Seconds())
	gauge(d.directoryUsers, float64(s.Directory.Users))
	gauge(d.directoryGroups, float64(s.Directory.Groups))
	gauge(d.feedSeq, float64(s.Feed.Seq))
	gauge(d.feedBehind, s.Feed.Behind.Seconds())
	gauge(d.auditSize, float64(s.Audit.Size))
	gauge(d.auditLag, float64(s.Audit.Lag))
	for _, e := range s.Audit.Exports {
		gauge(d.exportLag, float64(e.Lag), e.Name)
		gauge(d.exportFailing, truth(e.Problem != ""), e.Name)
	}
	count(d.auditDropped, s.Audit.Dropped)
	gauge(d.auditFailing, truth(s.Audit.Problem != ""))
	gauge(d.auditLeading, truth(s.Audit.Leading))
	gauge(d.tunnels, float64(s.Tunnels))
	for phase, n := range s.Workspaces {
		gauge(d.workspaces, float64(n), phase)
	}
	for _, w := range s.Warm {
		gauge(d.warm, float64(w.Wanted), w.Project, w.Class, "wanted")
		gauge(d.warm, float64(w.Ready), w.Project, w.Class, "ready")
		gauge(d.warm, float64(w.Making), w.Project, w.Class, "making")
		gauge(d.warmFailing, truth(w.Failing), w.Project, w.Class)
	}
	to <- histogram(d.store, s.Store)
	count(d.recordsDropped, s.Records)
	count(d.connectionsRefused, s.Refused)
	for _, disk := range s.Disks {
		gauge(d.diskSize, float64(disk.Size), disk.Path)
		gauge(d.diskFree, float64(disk.Free), disk.Path)
		gauge(d.diskReserve, float64(disk.Reserve), disk.Path)
		gauge(d.diskLow, truth(disk.Low), disk.Path)
		if disk.Files > 0 {
			gauge(d.diskFiles, float64(disk.FreeFiles), disk.Path)
		}
	}
	ends := map[string]time.Time{} // two of one name, for clients of two kinds: the first that ends
	for _, c := range s.Certificates {
		if at, ok := ends[c.Name]; !ok || c.Until.Before(at) {
			ends[c.Name] = c.Until
		}
	}
	for name, at := range ends {
		gauge(d.certificates, float64(at.Unix()), name)
	}
	if g := s.Graph; g != nil {
		count(d.graphRequests, g.Requests)
		count(d.graphThrottled, g.Throttled)
		count(d.graphFailed, g.Failed)
		count(d.graphResyncs, g.Resyncs)
		gauge(d.graphFailing, truth(g.Failing))
		for of, n := range g.Pages {
			gauge(d.graphPages, float64(n), of)
		}
	}
	if p := s.Provisioning; p != nil {
		count(d.scimRequests, p.Requests, "accepted")
		count(d.scimRequests, p.Refused, "refused")
		count(d.scimFailed, p.Failed)
		if !p.Last.IsZero() {
			gauge(d.scimLast, float64(p.Last.Unix()))
		}
	}
}

func histogram(of *prometheus.Desc, t observe.Totals, labels ...string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(t.Below))
	for i, n := range t.Below {
		buckets[observe.Bounds[i].Seconds()] = uint64(n)
	}
	return prometheus.MustNewConstHistogram(of, uint64(t.Count), t.Sum.Seconds(), buckets, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
