// Package ledger is the internal API of the sample world: a small HTTP app that knows nobody by itself. It believes
// Lanyard's signed assertion of who is calling, and nothing else in a request.
package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/token"
)

// Config makes a Ledger.
type Config struct {
	Issuer   string // Lanyard's URL
	JWKS     string // the URL of Lanyard's key set
	Audience string // this app's
	Client   *http.Client
}

// Ledger is an http.Handler.
type Ledger struct {
	expect token.Expect
	mux    *http.ServeMux
	books  *template.Template

	mu      sync.Mutex
	entries []Entry
}

// Entry is one line of the books.
type Entry struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Text   string    `json:"text"`
	Minor  int64     `json:"amount_minor"`
}

// New returns a Ledger with a few entries.
func New(c Config) *Ledger {
	l := &Ledger{
		expect: token.Expect{
			Type: "lanyard-assertion+jwt", Issuer: c.Issuer, Audience: c.Audience,
			Keys: &token.Remote{URL: c.JWKS, Client: c.Client}, Leeway: 5 * time.Second,
		},
		mux: http.NewServeMux(), books: books(),
	}
	at := time.Date(2026, 1, 12, 9, 0, 0, 0, time.UTC)
	l.entries = []Entry{
		{1, at, "Grace Hopper", "opening balance", 1_000_000},
		{2, at.Add(26 * time.Hour), "Barbara Liskov", "card payment 4711", 2_599},
		{3, at.Add(50 * time.Hour), "Ada Lovelace", "refund 4711", -2_599},
	}
	l.mux.HandleFunc("GET /whoami", l.known(whoami))
	l.mux.HandleFunc("GET /entries", l.known(l.list))
	l.mux.HandleFunc("POST /entries", l.known(l.add))
	l.mux.HandleFunc("GET /watch", l.known(watch))
	l.mux.HandleFunc("GET /export", l.known(export))
	l.mux.HandleFunc("GET /live", l.known(live))
	l.mux.HandleFunc("GET /{$}", l.known(l.page))
	return l
}

// ServeHTTP implements http.Handler.
func (l *Ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.mux.ServeHTTP(w, r) }

// Caller is what the ledger believes about who is calling.
type Caller struct {
	Name    string   `json:"name"`
	Object  string   `json:"oid"`
	Project string   `json:"project"`
	Roles   []string `json:"roles"`
	Act     *Actor   `json:"act,omitempty"` // the AI agent that calls for the person
}

// Actor is an AI agent.
type Actor struct {
	Subject string `json:"sub"`
}

// known asks for the assertion before it answers. It must be for this request: for its method and its path.
func (l *Ledger) known(serve func(http.ResponseWriter, *http.Request, Caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var claims struct {
			Caller
			Method string `json:"htm"`
			Path   string `json:"htp"`
		}
		values := r.Header.Values("Lanyard-Assertion")
		err := errors.New("there is not exactly one assertion")
		if len(values) == 1 {
			err = l.expect.Verify(r.Context(), values[0], &claims)
		}
		if err == nil && (claims.Method != r.Method || claims.Path != r.URL.EscapedPath()) {
			err = errors.New("the assertion is for another request")
		}
		if err != nil {
			http.Error(w, "The ledger does not know who is calling: "+err.Error()+".", http.StatusUnauthorized)
			return
		}
		serve(w, r, claims.Caller)
	}
}

func whoami(w http.ResponseWriter, _ *http.Request, c Caller) { answer(w, http.StatusOK, c) }

func (l *Ledger) list(w http.ResponseWriter, _ *http.Request, _ Caller) {
	l.mu.Lock()
	entries := slices.Clone(l.entries)
	l.mu.Unlock()
	answer(w, http.StatusOK, entries)
}

// maxEntries bounds what a sample run keeps.
const maxEntries = 10_000

func (l *Ledger) add(w http.ResponseWriter, r *http.Request, c Caller) {
	if !slices.Contains(c.Roles, "developer") && !slices.Contains(c.Roles, "maintainer") {
		http.Error(w, "A "+fmt.Sprint(c.Roles)+" may read the books and not write them.", http.StatusForbidden)
		return
	}
	var e Entry
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&e); err != nil || e.Text == "" {
		http.Error(w, `An entry is {"text": "…", "amount_minor": 1234}.`, http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) >= maxEntries {
		http.Error(w, "The books are full.", http.StatusInsufficientStorage)
		return
	}
	e.Number, e.At, e.By = len(l.entries)+1, time.Now().UTC(), c.Name
	l.entries = append(l.entries, e)
	answer(w, http.StatusCreated, e)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
