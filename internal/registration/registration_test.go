package registration_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/registration"
)

func says(p registration.Plan) string {
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, s.Says)
		lines = append(lines, s.Details...)
	}
	return strings.Join(lines, "\n")
}

// The second time there is nothing to do, and what was registered is what is wanted.
func TestTwice(t *testing.T) {
	w := newWorld(t)
	first := w.plan(w.wanted())
	if len(first.Steps) == 0 || first.ClientID != "" || first.Tenant.ID != tenantID || first.Tenant.Domain != "contoso.example" {
		t.Fatalf("the plan for an empty tenant: %+v", first)
	}
	if _, err := os.Stat(filepath.Join(w.files, "entra.pem")); err == nil {
		t.Fatal("a plan makes files")
	}
	done, err := w.apply(w.wanted())
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Did) != len(first.Steps) || len(done.Left) != 0 || done.ClientID == "" {
		t.Errorf("of %s\ndone was %+v", says(first), done)
	}
	if second := w.plan(w.wanted()); len(second.Steps) != 0 || second.ClientID != done.ClientID {
		t.Errorf("the second time is left:\n%s", says(second))
	}
	app, known := w.App(done.ClientID)
	switch {
	case !known:
		t.Fatal("there is no app")
	case !app.AssignmentRequired, !slices.Equal(app.RedirectURIs, w.wanted().RedirectURIs), app.LogoutURL != w.wanted().LogoutURL, len(app.Certificates) != 1,
		len(app.AppRoles) != 2, !slices.Contains(app.OptionalClaims, "acrs"), app.GroupMembershipClaims != "":
		t.Errorf("the app is %+v", app)
	}
	if info, err := os.Stat(filepath.Join(w.files, "entra.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v %v", info, err)
	}
	if left, err := os.ReadDir(w.files); err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v %v", left, err)
	}
	if ends, err := credential.ReadCertificate(filepath.Join(w.files, "entra.pem"), filepath.Join(w.files, "entra.pem"), time.Now()); err != nil || time.Until(ends) < 300*24*time.Hour {
		t.Errorf("the certificate ends %v, %v", ends, err)
	}
	if got := w.Assignments(done.ClientID); len(got) != 2 {
		t.Errorf("assigned are %+v", got)
	}
}
