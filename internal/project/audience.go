package project

import (
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// How long tokens for an audience are good for.
const (
	DefaultTokenLife  = 10 * time.Minute
	MaxTokenLife      = time.Hour
	MaxFederationLife = 10 * time.Minute // what a cloud makes of one cannot be taken back by us
	minTokenLife      = time.Minute
)

// audienceValue is what may stand in `aud`: Google's names begin with slashes.
var audienceValue = shape(`^[A-Za-z0-9/][A-Za-z0-9._:/-]{0,255}$`)

// Audience is who takes a token that says who is calling: a cloud account, a cluster, an internal service.
type Audience struct {
	Name  string // unique in the installation
	Value string // as it stands in the token (`aud`); unique in the project
	// Federation says that a cloud provider verifies the token offline: it is signed with RS256, the one algorithm that all
	// of them take, and lives for at most 10 minutes.
	Federation bool
	Lifetime   time.Duration
	Sensitive  string // the authentication context that getting one needs; empty for none
	// Subject is who its tokens are about (`sub`).
	Subject Subject
	File    *TokenFile // what workspaces keep for programs that look for a token by themselves; nil: nothing
}

// Subject is who a token for an audience is about: some receivers decide by that alone.
type Subject string

const (
	OfUser    Subject = "user"    // the person
	OfProject Subject = "project" // the project: one rule at the receiver for all who may get such a token
)

// Resource names the audience for a decision.
func (a Audience) Resource(p identity.ProjectID) identity.Resource {
	return identity.Resource{Kind: identity.KindAudience, Name: a.Name, Project: p}
}

// Audience finds an audience of the project by its name, or by the value that stands in its tokens.
func (p Project) Audience(nameOrValue string) (Audience, bool) {
	for _, a := range p.Audiences {
		if a.Name == nameOrValue {
			return a, true
		}
	}
	for _, a := range p.Audiences {
		if a.Value == nameOrValue {
			return a, true
		}
	}
	return Audience{}, false
}

// isAudience reports whether a resource is an audience.
func isAudience(v source.Value) bool {
	if !v.IsMapping() {
		return false
	}
	m, _ := v.Mapping()
	_, ok := m.Find("audience")
	return ok
}

func readAudience(v source.Value) (a Audience, place source.Value, ok bool) {
	m, ok := v.Mapping()
	if !ok {
		return a, v, false
	}
	m.Keys([]string{"audience", "aud", "kind", "lifetime", "sensitive", "subject", "file"}, nil)
	name, ok := m.Need("audience")
	if !ok {
		return a, v, false
	}
	if a.Name, ok = name.Value.Text(); ok && !resourceName().MatchString(a.Name) {
		name.Value.Report("%q cannot be an audience's name; use a lower-case letter, then letters, digits and dashes, at most 41, and write what stands in its tokens as `aud`", a.Name)
		ok = false
	}
	a.Value = a.Name
	if e, found := m.Find("aud"); found {
		if s, isText := e.Value.Text(); isText && !audienceValue().MatchString(s) {
			e.Value.Report("%q cannot be an audience; use letters, digits and ._:/- , at most 256", s)
		} else if isText {
			a.Value = s
		}
	}
	if e, found := m.Find("kind"); found {
		switch s, isText := e.Value.Text(); {
		case isText && s == "federation":
			a.Federation = true
		case isText && s != "service":
			e.Value.Report("the kind of an audience is service, or federation for a cloud account that verifies tokens by itself")
		}
	}
	a.Lifetime = DefaultTokenLife
	if e, found := m.Find("lifetime"); found {
		most := MaxTokenLife
		if a.Federation {
			most = MaxFederationLife
		}
		if d, isTime := e.Value.Duration(); isTime && (d < minTokenLife || d > most) {
			e.Value.Report("tokens for this audience live for between %s and %s", minTokenLife, most)
		} else if isTime {
			a.Lifetime = d
		}
	}
	if e, found := m.Find("sensitive"); found {
		a.Sensitive = readSensitive(e.Value)
	}
	a.Subject = OfUser
	if e, found := m.Find("subject"); found {
		switch s, isText := e.Value.Text(); {
		case isText && s == string(OfProject):
			a.Subject = OfProject
		case isText && s != string(OfUser):
			e.Value.Report("the subject of an audience's tokens is user, or project where the receiver has one rule for all of a project")
		}
	}
	if e, found := m.Find("file"); found && a.Name != "" {
		a.File = readTokenFile(e.Value, a)
	}
	return a, name.Value, ok
}
