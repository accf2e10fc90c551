package provision

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// EventCredential is the audit action of making and revoking credentials.
const EventCredential = "scim:credential"

const (
	secretPrefix = "lanyard_scim_" // by which scanners of repositories recognise one
	idPrefix     = "sc-"
	maxActive    = 20
	maxName      = 100
	useEvery     = time.Minute // how often a use is written
)

// credentials are the secrets that provisioning services know, kept in memory as they are stored.
type credentials struct {
	rows Rows
	now  func() time.Time
	byID atomic.Pointer[map[string]Credential]

	mu   sync.Mutex
	uses map[string]Use // the last written or read
}

func newCredentials(rows Rows, now func() time.Time) *credentials {
	c := &credentials{rows: rows, now: now, uses: map[string]Use{}}
	c.byID.Store(&map[string]Credential{})
	return c
}

// load reads them from the store.
func (c *credentials) load(ctx context.Context) error {
	all, uses, err := c.rows.SCIMCredentials(ctx)
	if err != nil {
		return err
	}
	byID := make(map[string]Credential, len(all))
	for _, one := range all {
		byID[one.ID] = one
	}
	c.byID.Store(&byID)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range uses {
		if u.At.After(c.uses[u.Credential].At) {
			c.uses[u.Credential] = u
		}
	}
	return nil
}

// usable reports whether the credential is neither revoked nor expired.
func (c Credential) usable(now time.Time) bool {
	return c.Revoked.IsZero() && (c.Expires.IsZero() || now.Before(c.Expires))
}

// check finds the credential whose secret this is. What is compared are hashes, in constant time; the ID in a secret only
// says which.
func (c *credentials) check(secret string, kind CredentialKind) (Credential, bool) {
	hash := sha256.Sum256([]byte(secret))
	rest, _ := strings.CutPrefix(secret, secretPrefix)
	id, _, _ := strings.Cut(rest, "_")
	found := (*c.byID.Load())[idPrefix+id]
	same := subtle.ConstantTimeCompare(hash[:], found.Hash) == 1
	return found, same && found.Kind == kind && found.usable(c.now())
}

// NewCredential is a credential to be made.
type NewCredential struct {
	Name    string
	Kind    CredentialKind
	Expires time.Time // zero: never
	By      string    // who makes it, for the audit log
}

// create makes a credential and returns its secret, which is nowhere else.
func (c *credentials) create(ctx context.Context, n NewCredential) (Credential, string, error) {
	n.Name = strings.TrimSpace(n.Name)
	switch {
	case n.Name == "" || len(n.Name) > maxName || strings.ContainsFunc(n.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return Credential{}, "", problem.New(problem.Invalid, "Name the secret after what will use it, in up to %d characters.", maxName)
	case n.Kind != Bearer && n.Kind != Client:
		return Credential{}, "", problem.New(problem.Invalid, "A secret is of kind %s or %s.", Bearer, Client)
	case !n.Expires.IsZero() && !n.Expires.After(c.now()):
		return Credential{}, "", problem.New(problem.Invalid, "The secret would have expired already.")
	}
	active := 0
	for _, other := range *c.byID.Load() {
		if other.usable(c.now()) {
			active++
		}
	}
	if active >= maxActive {
		return Credential{}, "", problem.New(problem.Conflict, "There are %d active secrets. Revoke one that is not used first: `lanyard scim secret list`.", active)
	}
	var random [42]byte
	rand.Read(random[:])
	id := strings.ToLower(base32.StdEncoding.EncodeToString(random[:10]))
	secret := secretPrefix + id + "_" + base64.RawURLEncoding.EncodeToString(random[10:])
	hash := sha256.Sum256([]byte(secret))
	made := Credential{ID: idPrefix + id, Name: n.Name, Kind: n.Kind, Hash: hash[:], Made: c.now(), Expires: n.Expires}
	if err := c.save(ctx, made, n.By, "made"); err != nil {
		return Credential{}, "", err
	}
	return made, secret, nil
}

// revoke ends a credential, by its ID or its name, at once on all replicas that follow the feed.
func (c *credentials) revoke(ctx context.Context, which, by string) (Credential, error) {
	var found []Credential
	for _, one := range *c.byID.Load() {
		if one.Revoked.IsZero() && (one.ID == which || one.Name == which) {
			found = append(found, one)
		}
	}
	switch len(found) {
	case 0:
		return Credential{}, problem.New(problem.NotFound, "There is no active secret %q. `lanyard scim secret list` shows them.", which)
	case 1:
	default:
		return Credential{}, problem.New(problem.Conflict, "There are %d secrets of the name %q; name one by its ID. `lanyard scim secret list` shows them.", len(found), which)
	}
	one := found[0]
	one.Revoked = c.now()
	return one, c.save(ctx, one, by, "revoked")
}

func (c *credentials) save(ctx context.Context, one Credential, by, change string) error {
	event := audit.Event{Time: c.now(), Action: EventCredential, Outcome: audit.Done, Actor: by, Resource: "provisioning credential " + one.ID,
		Detail: map[string]any{"change": change, "name": one.Name, "kind": string(one.Kind)}}
	if !one.Expires.IsZero() {
		event.Detail["expires"] = one.Expires.UTC().Format(time.RFC3339)
	}
	if err := c.rows.SaveSCIMCredential(ctx, one, feed.Entry{Topic: feed.Provisioning, Keys: []string{CredentialKey}}, event); err != nil {
		return fmt.Errorf("%s a provisioning credential: %w", change, err)
	}
	return c.load(ctx)
}

// list returns all credentials, the newest last, and when each was used.
func (c *credentials) list() ([]Credential, map[string]Use) {
	byID := *c.byID.Load()
	all := make([]Credential, 0, len(byID))
	for _, one := range byID {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Credential) int {
		if d := a.Made.Compare(b.Made); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	uses := make(map[string]Use, len(c.uses))
	for id, u := range c.uses {
		uses[id] = u
	}
	return all, uses
}

// used notes that a credential was used, and writes it once a minute.
func (c *credentials) used(ctx context.Context, id, ip string) error {
	now := c.now()
	c.mu.Lock()
	last := c.uses[id]
	if now.Sub(last.At) < useEvery {
		c.mu.Unlock()
		return nil
	}
	u := Use{Credential: id, At: now, IP: ip}
	c.uses[id] = u
	c.mu.Unlock()
	return c.rows.NoteSCIMUse(ctx, u)
}
