package registration

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/credential"
)

// foreign tells of what lets somebody else act as an app registration that was there before, or change it: secrets,
// certificates and federated credentials that the configuration does not name, and owners. They stay, since they may be
// the tenant's own, but what is about to be granted is granted to them as well.
func (b *builder) foreign() {
	if b.state.app == nil || b.setup.notes.Made[theApp].ID != "" { // this setup made it
		return
	}
	const advice = "can sign in as Lanyard, with all that Lanyard may do. Remove it if it is not yours"
	var secrets []string
	var certificates [][]byte
	var tokens []federatedClaims
	for _, c := range b.setup.wanted.Credentials {
		switch c.Kind() { // one that cannot be read is told of elsewhere
		case credential.Secret:
			if text, err := os.ReadFile(c.Secret); err == nil {
				secrets = append(secrets, strings.TrimSpace(string(text)))
			}
		case credential.Certificate:
			if der, _, err := readCertificate(c.Certificate, c.Key, b.setup.now()); err == nil {
				certificates = append(certificates, der)
			}
		case credential.Federated:
			if claims, err := readFederated(c.FederatedToken); err == nil {
				tokens = append(tokens, claims)
			}
		}
	}
	passwords, keys := b.state.app.Passwords, b.state.app.KeyCredentials
	if sp := b.state.principal; sp != nil {
		passwords, keys = append(passwords[:len(passwords):len(passwords)], sp.Passwords...), append(keys[:len(keys):len(keys)], sp.KeyCredentials...)
	}
	now := b.setup.now()
	for _, p := range passwords {
		if (p.Ends.IsZero() || p.Ends.After(now)) && !slices.ContainsFunc(secrets, func(s string) bool { return p.Hint != "" && strings.HasPrefix(s, p.Hint) }) {
			b.note("Who has the client secret %q (%s…, ends %s) of the app registration %s.", p.Name, p.Hint, p.Ends.UTC().Format(time.DateOnly), advice)
		}
	}
	for _, raw := range keys {
		var k keyCredential
		if json.Unmarshal(raw, &k) == nil && (k.Ends.IsZero() || k.Ends.After(now)) && !slices.ContainsFunc(certificates, k.is) {
			b.note("Who has the key of the certificate %q (%s) of the app registration %s.", k.Name, k.KeyID, advice)
		}
	}
	for _, f := range b.state.federated {
		if !slices.ContainsFunc(tokens, func(c federatedClaims) bool { return c.Issuer == f.Issuer && c.Subject == f.Subject }) {
			b.note("Who has a token of %s for %s (federated credential %q) %s.", f.Issuer, f.Subject, f.Name, advice)
		}
	}
	for _, owner := range b.state.owners {
		if owner.ID != b.state.me.ID {
			b.note("%s owns the app registration, and can add secrets and redirect addresses to it. Remove them from its owners if they do not administer Lanyard.", owner)
		}
	}
}
