package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
)

const (
	pagesAtMost  = 1_000_000          // of one reading; more have no end
	keptAtMost   = 6 * 24 * time.Hour // a reading that began earlier is begun anew: Graph's tokens hold for 7 days
	keepEvery    = time.Second        // pages that were read are kept at least this often,
	keepBytes    = 1 << 20            // and when they are as large as this
	fetchedAhead = 4                  // pages that are fetched while those before them are taken in
	againFirst   = time.Second        // a kind that is to be read whole again and again waits this long, doubling,
	againLast    = 5 * time.Minute    // up to this
)

// wholeRead is everything of one kind, read from the beginning. It outlives failures, and the process where pages can be
// kept: then it goes on where it was.
type wholeRead struct {
	*gathering
	kind      kind
	name      string // under which its pages are kept
	selected  string
	link      string // where it goes on
	done      bool   // link is the delta link
	began     time.Time
	pages     int
	resumed   bool
	restarted bool             // it began where Graph said
	kept      []directory.Page // read and not kept yet
	bytes     int
	keptAt    time.Time
}

// reread reads whole what must be, each kind by itself, and makes it the directory's. With nothing to do it returns nil.
func (s *Source) reread(ctx context.Context) error {
	select {
	case s.rereading <- struct{}{}:
		defer func() { <-s.rereading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	wanted, restart, err := s.wanted(ctx)
	if err != nil || wanted == 0 {
		return err
	}
	if s.names == nil {
		s.names = newNames()
	}
	failed := make(chan error, len(everyKind))
	for _, k := range everyKind {
		if !wanted.has(k) {
			failed <- nil
			continue
		}
		go func() { failed <- s.rereadKind(ctx, k, restart[k]) }()
	}
	var errs []error
	for range everyKind {
		errs = append(errs, <-failed)
	}
	for _, k := range everyKind {
		s.showProgress(k, s.wholes[k])
	}
	if s.wholes == [len(everyKind)]*wholeRead{} {
		s.names = nil
	}
	return errors.Join(errs...)
}

// wanted is what must be read whole, and from which links, which are tried once.
func (s *Source) wanted(ctx context.Context) (need kinds, restart [len(everyKind)]string, err error) {
	if err := s.hold(ctx); err != nil {
		return 0, restart, err
	}
	defer s.release()
	restart, s.restart = s.restart, restart
	return s.need, restart, nil
}

func (s *Source) rereadKind(ctx context.Context, k kind, restart string) error {
	if !sleep(ctx, s.paces[k].left()) {
		return ctx.Err()
	}
	w := s.wholes[k]
	if w == nil {
		w = s.begin(ctx, k, restart)
		s.wholes[k] = w
	}
	err := s.pagesOf(ctx, w)
	if err == nil {
		if err = s.hold(ctx); err != nil {
			return err
		}
		err = s.swap(ctx, w)
		s.release()
	}
	switch {
	case err == nil || w.useless(err):
		s.wholes[k] = nil
		s.forget(ctx, w.name)
		s.paces[k].again()
		if err == nil {
			s.figures.resyncs.Add(1)
			s.log.Info("everything was read", "of", k.String(), "objects", w.items, "pages", w.pages, "took", time.Since(w.began).Round(time.Millisecond))
		}
	case s.withoutSignIns(w, err):
		s.wholes[k] = nil
		return s.rereadKind(ctx, k, "")
	}
	return err
}

// pace keeps readings of everything that do not help from following each other closely. The zero value is ready.
type pace struct {
	mu    sync.Mutex
	wait  time.Duration
	until time.Time
}

func (p *pace) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

// again notes that everything was read, or could not be.
func (p *pace) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wait = min(max(2*p.wait, againFirst), againLast)
	p.until = time.Now().Add(p.wait)
}

// worked notes that a delta goes on from there.
func (p *pace) worked() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wait, p.until = 0, time.Time{}
}

// useless reports that a reading cannot go on after err and has to begin anew.
func (w *wholeRead) useless(err error) bool {
	status := statusOf(err)
	return lost(err) || errors.Is(err, errEndless) || (w.pages > 0 || w.restarted) && (status == http.StatusBadRequest || status == http.StatusNotFound)
}

// withoutSignIns reports that Graph does not take the property in a delta's $select, so that it has to go without.
func (s *Source) withoutSignIns(w *wholeRead, err error) bool {
	status := statusOf(err)
	if w.pages > 0 || !strings.Contains(w.selected, signInsFrom) || status != http.StatusBadRequest && status != http.StatusNotImplemented {
		return false
	}
	s.log.Warn("Graph does not tell in a delta when sign-ins were ended; it is asked at each sweep for who is signed in", "error", err)
	s.plain.Store(true)
	return true
}

// begin goes on with what an earlier process kept, or begins.
func (s *Source) begin(ctx context.Context, k kind, restart string) *wholeRead {
	w := s.beginning(k, restart)
	if s.pages == nil {
		return w
	}
	err := s.pages.LoadPages(ctx, w.name, func(p directory.Page) error {
		items, err := recorded(p.Body)
		if err != nil || p.Number != w.pages || s.graph.own(p.Next) != nil {
			return errBadRecord
		}
		if w.pages == 0 {
			w.began = p.Asked
		}
		w.page(k, items)
		w.link, w.pages, w.resumed = p.Next, w.pages+1, true
		return nil
	})
	stale := w.resumed && (time.Since(w.began) > keptAtMost || !w.began.After(s.wholeAt(k)))
	if err != nil || stale {
		s.log.Info("what was kept of an interrupted reading is of no use; it begins anew", "of", k.String(), "error", err)
		s.forget(ctx, w.name)
		return s.beginning(k, restart)
	}
	if w.resumed {
		s.log.Info("an interrupted reading goes on where it was", "of", k.String(), "pages", w.pages, "began", w.began)
	}
	return w
}

func (s *Source) beginning(k kind, restart string) *wholeRead {
	w := &wholeRead{gathering: newGathering(s.tenant, directory.Empty(), nil, map[string]bool{}), kind: k, keptAt: time.Now()}
	w.whole, w.names = true, s.names
	w.selected = k.selected(!s.plain.Load())
	w.name = s.cursor(k.first(w.selected))
	w.link = s.graph.url(k.first(w.selected))
	if restart != "" {
		w.link, w.restarted = restart, true
	}
	return w
}

// restartAt is where a reading begins after 410 Gone: at the Location of that answer if that is the beginning of the same
// delta at the same Graph. Nothing else is followed.
func (s *Source) restartAt(k kind, err error) string {
	var failed *graphError
	if !errors.As(err, &failed) || failed.Location == "" || s.graph.own(failed.Location) != nil {
		return ""
	}
	u, err := url.Parse(failed.Location)
	if err != nil || u.Path != s.graph.base.Path+k.path() || u.Fragment != "" {
		return ""
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || !query.Has("$deltatoken") || query.Get("$deltatoken") != "" {
		return ""
	}
	if !sameList(query.Get("$select"), k.selected(!s.plain.Load())) {
		return "" // it would read something else
	}
	return u.String()
}

func sameList(a, b string) bool {
	return slices.Equal(slices.Sorted(strings.SplitSeq(a, ",")), slices.Sorted(strings.SplitSeq(b, ",")))
}

// fetched is a page, or why there is none.
type fetched struct {
	page  *deltaPage
	asked time.Time
	err   error
}

var errEndless = errors.New("the pages of a reading have no end")

// pagesOf reads on to the delta link. Pages are fetched while those before them are taken in and kept.
func (s *Source) pagesOf(ctx context.Context, w *wholeRead) error {
	if w.done {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	got := make(chan fetched, fetchedAhead)
	go s.fetch(ctx, w.kind, w.link, got)
	defer func() {
		cancel()
		for range got { // until the fetching has ended
		}
		if !w.done {
			s.keep(ctx, w)
		}
	}()
	for f := range got {
		if f.err != nil {
			return f.err
		}
		s.take(ctx, w, f)
		if w.pages > pagesAtMost {
			return fmt.Errorf("read all %s: %w", w.kind, errEndless)
		}
	}
	if !w.done {
		return ctx.Err()
	}
	return nil
}

// fetch sends one page after the other and closes the channel after the last one, or after an error.
func (s *Source) fetch(ctx context.Context, k kind, link string, to chan<- fetched) {
	defer close(to)
	for link != "" {
		f := fetched{asked: time.Now()}
		f.page, _, f.err = s.page(ctx, k, link)
		select {
		case to <- f:
		case <-ctx.Done():
			return
		}
		if f.err != nil {
			return
		}
		link = f.page.NextLink
	}
}

// take adds a page to the reading.
func (s *Source) take(ctx context.Context, w *wholeRead, f fetched) {
	if w.pages == 0 {
		w.began = f.asked
	}
	w.page(w.kind, f.page.Items)
	w.link, w.done = f.page.NextLink, f.page.DeltaLink != ""
	if w.done {
		w.link = f.page.DeltaLink
	}
	if s.pages != nil && !w.done {
		body := record(nil, f.page.Items)
		w.kept = append(w.kept, directory.Page{Number: w.pages, Body: body, Next: w.link, Asked: f.asked})
		w.bytes += len(body)
	}
	w.pages++
	if w.bytes > keepBytes || time.Since(w.keptAt) > keepEvery {
		s.keep(ctx, w)
	}
	s.showProgress(w.kind, w)
}

// keep stores the pages that were read since it did so last. A reading goes on without: it is then not resumed.
func (s *Source) keep(ctx context.Context, w *wholeRead) {
	w.keptAt = time.Now()
	if s.pages == nil || len(w.kept) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wholeWait)
	defer cancel()
	if err := s.pages.AddPages(ctx, w.name, w.kept); err != nil {
		s.log.Warn("what was read of the directory so far cannot be kept; if the reading is interrupted, more of it is repeated", "error", err)
		return // they are tried again with the next
	}
	clear(w.kept)
	w.kept, w.bytes = w.kept[:0], 0
}

// forget drops what is kept of a reading that is over.
func (s *Source) forget(ctx context.Context, name string) {
	if s.pages == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wholeWait)
	defer cancel()
	if err := s.pages.DropPages(ctx, name); err != nil {
		s.log.Warn("what was kept of a reading that is over cannot be removed", "error", err)
	}
}

func (s *Source) showProgress(k kind, w *wholeRead) {
	s.figures.say(func(st *State) {
		st.Reading = slices.DeleteFunc(st.Reading, func(p Progress) bool { return p.Of == k.String() })
		if w != nil {
			st.Reading = append(st.Reading, Progress{Of: k.String(), Pages: w.pages, Objects: w.items, Resumed: w.resumed, Since: w.began})
		}
	})
}
