// Package identity holds the nouns of Lanyard: who asks, for what, and to do what.
// It imports nothing else of Lanyard, so every other package may speak its words.
package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// TenantID names a directory: in Entra the lower-case GUID `tid`, elsewhere the issuer URL.
type TenantID string

// Issuer reports whether the tenant is an issuer, not one of Entra's tenants.
func (t TenantID) Issuer() bool { return strings.Contains(string(t), "://") }

// UserID is a person: the tenant and the immutable object ID in it (`tid` and `oid` in Entra,
// issuer and `sub` elsewhere). E-mail addresses and names are never part of a key.
type UserID struct {
	Tenant TenantID
	Object string
}

// IsZero reports whether u names nobody.
func (u UserID) IsZero() bool { return u == UserID{} }

// String prints the user as Lanyard shows it: "u-" and the object ID.
func (u UserID) String() string {
	if u.IsZero() {
		return ""
	}
	return "u-" + u.Object
}

// Key is the full key, tenant included, for storage and for Cedar entities.
func (u UserID) Key() string { return string(u.Tenant) + "/" + u.Object }

// GroupID is a directory group: the tenant and its immutable object ID.
type GroupID struct {
	Tenant TenantID
	Object string
}

// IsZero reports whether g names no group.
func (g GroupID) IsZero() bool { return g == GroupID{} }

// String prints the group's object ID.
func (g GroupID) String() string { return g.Object }

// appRole begins the object ID of the group of those who hold an app role.
const appRole = "app-role:"

// AppRole is the group of those who hold an app role of Lanyard's enterprise application: the users assigned to it, and
// the immediate members of the groups assigned to it. Entra counts no nested ones:
// https://learn.microsoft.com/entra/identity-platform/howto-add-app-roles-in-apps
func AppRole(tenant TenantID, value string) GroupID {
	return GroupID{Tenant: tenant, Object: appRole + value}
}

// AppRole is the app role whose holders g is.
func (g GroupID) AppRole() (value string, ok bool) {
	if value, ok = strings.CutPrefix(g.Object, appRole); !ok {
		return "", false
	}
	return value, true
}

// Key is the full key, tenant included.
func (g GroupID) Key() string { return string(g.Tenant) + "/" + g.Object }

// IDs that Lanyard makes itself. They are random, never reused, and carry their kind as a prefix.
type (
	SignInID    string // "i-…": one authentication at the tenant
	SessionID   string // "s-…": a session below a sign-in
	LeaseID     string // "l-…": an open access
	WorkspaceID string // "w-…": a workspace
	ProjectID   string // "p-…": a project's immutable ID
	GrantID     string // "g-…": a grant, and the request that asked for it
	SnapshotID  string // "snap-…": a kept copy of a checkout
	PrebuildID  string // "pre-…": a checkout that was made ready ahead
)

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// random returns 16 characters (80 bits): enough that an ID is never met twice, short enough for a
// host name label. IDs are names, not secrets.
func random() string {
	var b [10]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return idEncoding.EncodeToString(b[:])
}

// NewSignInID returns a fresh sign-in ID.
func NewSignInID() SignInID { return SignInID("i-" + random()) }

// NewSessionID returns a fresh session ID.
func NewSessionID() SessionID { return SessionID("s-" + random()) }

// NewLeaseID returns a fresh lease ID.
func NewLeaseID() LeaseID { return LeaseID("l-" + random()) }

// NewWorkspaceID returns a fresh workspace ID.
func NewWorkspaceID() WorkspaceID { return WorkspaceID("w-" + random()) }

// NewProjectID returns a fresh project ID.
func NewProjectID() ProjectID { return ProjectID("p-" + random()) }

var errID = errors.New("not an ID")

// NewGrantID returns a fresh grant ID.
func NewGrantID() GrantID { return GrantID("g-" + random()) }

// NewSnapshotID returns a fresh snapshot ID.
func NewSnapshotID() SnapshotID { return SnapshotID("snap-" + random()) }

// ParseSnapshotID checks s, which comes from a URL or a command line.
func ParseSnapshotID(s string) (SnapshotID, error) {
	if err := checkID(s, "snap-"); err != nil {
		return "", fmt.Errorf("snapshot ID %q: %w", s, err)
	}
	return SnapshotID(s), nil
}

// Fingerprint names a snapshot without giving its ID away: that is what opens it.
func (id SnapshotID) Fingerprint() string {
	sum := sha256.Sum256([]byte(id))
	return fingerprint + idEncoding.EncodeToString(sum[:10])
}

const fingerprint = "snapf-"

// IsFingerprint reports whether s looks like a snapshot's fingerprint.
func IsFingerprint(s string) bool { return checkID(s, fingerprint) == nil }

// NewPrebuildID returns a fresh prebuild ID.
func NewPrebuildID() PrebuildID { return PrebuildID("pre-" + random()) }

// ParsePrebuildID checks s, which comes from a URL or a command line.
func ParsePrebuildID(s string) (PrebuildID, error) {
	if err := checkID(s, "pre-"); err != nil {
		return "", fmt.Errorf("prebuild ID %q: %w", s, err)
	}
	return PrebuildID(s), nil
}

// ParseGrantID checks s, which comes from a URL or a command line.
func ParseGrantID(s string) (GrantID, error) {
	if err := checkID(s, "g-"); err != nil {
		return "", fmt.Errorf("grant ID %q: %w", s, err)
	}
	return GrantID(s), nil
}

// ParseWorkspaceID checks s, which comes from a URL or a command line.
func ParseWorkspaceID(s string) (WorkspaceID, error) {
	if err := checkID(s, "w-"); err != nil {
		return "", fmt.Errorf("workspace ID %q: %w", s, err)
	}
	return WorkspaceID(s), nil
}

// Label is the ID without its prefix, as it stands in host names.
func (w WorkspaceID) Label() string { return strings.TrimPrefix(string(w), "w-") }

// WorkspaceFromLabel is the inverse of Label, checked.
func WorkspaceFromLabel(label string) (WorkspaceID, error) { return ParseWorkspaceID("w-" + label) }

func checkID(s, prefix string) error {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != 16 {
		return errID
	}
	for i := range len(rest) {
		c := rest[i]
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return errID
		}
	}
	return nil
}
