package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Finding is what somebody should know about provisioning, or mend.
type Finding struct {
	Problem bool // otherwise it is only worth knowing
	Text    string
}

// Status is how provisioning stands.
type Status struct {
	Members, Users bool // what the provisioning service is the one source of
	Federated      bool // whether assertions of the tenant's are taken
	Counts         Counts
	LastUse        time.Time // of any credential, to the minute; zero: never
	Refused        *Received
	Findings       []Finding
}

// quietAfter is longer than Entra's service pauses between two cycles, which is about 40 minutes, and than a night's fault.
const quietAfter = 24 * time.Hour

// Status reads how provisioning stands.
func (s *Service) Status(ctx context.Context) (Status, error) {
	st := Status{Members: s.c.Members, Users: s.c.Users, Federated: s.c.Assertion.configured(), Refused: s.refusals.get()}
	var err error
	if st.Counts, err = s.c.Rows.SCIMCounts(ctx); err != nil {
		return st, err
	}
	if err := s.credentials.load(ctx); err != nil { // uses by other replicas
		return st, err
	}
	_, uses := s.credentials.list()
	for _, u := range uses {
		if u.At.After(st.LastUse) {
			st.LastUse = u.At
		}
	}
	st.Findings = s.findings(ctx, st)
	return st, nil
}

// errEnough ends the looking through of rows.
var errEnough = errors.New("enough")

// Findings are what `doctor` says about provisioning; none where it is not used.
func (s *Service) Findings(ctx context.Context) ([]Finding, error) {
	st, err := s.Status(ctx)
	return st.Findings, err
}

func (s *Service) findings(ctx context.Context, st Status) (all []Finding) {
	add := func(problem bool, format string, args ...any) {
		all = append(all, Finding{problem, fmt.Sprintf(format, args...)})
	}
	now := s.c.Now()
	list, _ := s.credentials.list()
	active := 0
	for _, c := range list {
		if !c.usable(now) {
			continue
		}
		active++
		switch left := c.Expires.Sub(now); {
		case c.Expires.IsZero() && c.Kind == Bearer:
			add(false, "The secret %s (%s) never expires. Where you can, use OAuth client credentials or federation (entra.scim) instead.", c.ID, c.Name)
		case !c.Expires.IsZero() && left < 14*24*time.Hour:
			add(true, "The secret %s (%s) expires on %s. Make another with `lanyard scim secret create`, enter it in Entra, and revoke this one.", c.ID, c.Name, c.Expires.UTC().Format(time.DateOnly))
		}
	}
	c := st.Counts
	used := active > 0 || st.Federated || c.Users+c.Groups > 0
	if !used && !st.Members {
		return nil
	}
	if active == 0 && !st.Federated {
		add(st.Members, "No provisioning service can reach Lanyard: there is no active secret and entra.scim is not set. `lanyard scim secret create` makes one.")
	}
	if (active > 0 || st.Federated) && (st.LastUse.IsZero() || now.Sub(st.LastUse) > quietAfter) {
		add(st.Members, "The provisioning service was not heard of %s. Look at the provisioning page of its enterprise application in Entra: it is stopped, in quarantine, or has another tenant URL than %s.",
			since(st.LastUse, now), s.c.URL+Path)
	}
	if c.Stray > 0 {
		add(true, "%d provisioned users have an externalId that is no object ID (%s), so they are nobody who signs in and have no rights. In the attribute mapping of users, map objectId to externalId instead of mailNickname, then restart provisioning.",
			c.Stray, s.examples(ctx, UserKind))
	}
	if c.StrayGroups > 0 && st.Members {
		add(true, "%d provisioned groups have an externalId that is no object ID (%s), so they give nothing. In the attribute mapping of groups, map objectId to externalId, then restart provisioning.",
			c.StrayGroups, s.examples(ctx, GroupKind))
	}
	if c.Groups > 0 && !st.Members {
		add(false, "%d groups are provisioned and give nothing, because memberships come from elsewhere. Remove groups from the provisioning scope, or set directory: {members: scim}.", c.Groups)
	}
	if s.piled.Load() && st.Members {
		add(true, "Roles were added to users without the roles of before being taken away. In the attribute mapping of users, map AssertiveAppRoleAssignmentsComplex([appRoleAssignments]) to roles: AppRoleAssignmentsComplex and SingleAppRoleAssignment never take a role away.")
	}
	if c.Gone > 0 {
		add(false, "%d users were deleted by the provisioning service while the directory still has them. They stay disabled until they are provisioned again, or `lanyard scim forget USER`.", c.Gone)
	}
	if r := st.Refused; r != nil {
		whose := "Nobody's signature was checked, so this may be anybody's."
		if r.Signed {
			whose = "The tenant signed it: if this is your provisioning service, write these values under entra.scim."
		}
		add(r.Signed, "An assertion was refused at %s: %s. It said iss %q, aud %q, sub %q, tid %q. %s", r.At.UTC().Format(time.RFC3339), r.Why, r.Issuer, r.Audience, r.Subject, r.Tenant, whose)
	}
	return all
}

func since(at, now time.Time) string {
	if at.IsZero() {
		return "yet"
	}
	return "for " + now.Sub(at).Round(time.Minute).String()
}

// examples are some of those without an object ID.
func (s *Service) examples(ctx context.Context, kind Kind) string {
	var names []string
	err := s.c.Rows.EachSCIM(ctx, kind, []Match{{ByObject, ""}}, func(r Row) error {
		names = append(names, fmt.Sprintf("%s: %q", r.Name, r.External))
		if len(names) == 3 {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return "unknown"
	}
	return strings.Join(names, ", ")
}

// Forget ends what is known of a user that was deleted here, so that only the other source says whether they are enabled.
func (s *Service) Forget(ctx context.Context, object, by string) error {
	object = strings.ToLower(strings.TrimPrefix(object, "u-"))
	f, err := s.c.Rows.SCIMFacts(ctx, []string{object}, nil, nil)
	if err != nil {
		return err
	}
	if len(f.Gone) == 0 {
		return problem.New(problem.NotFound, "The provisioning service has deleted no user %s. `lanyard scim status` says how many it has.", object)
	}
	keys := []string{userKey + object}
	event := audit.Event{Time: s.c.Now(), Action: "scim:forget", Outcome: audit.Done, Actor: by, User: audit.PersonOf(s.user(object), ""), Resource: "user " + object}
	if err := s.c.Rows.ForgetSCIM(ctx, f.Gone, feed.Entry{Topic: feed.Provisioning, Keys: keys}, event); err != nil {
		return err
	}
	s.settle(ctx, keys)
	return nil
}
