package entrasim

import (
	"crypto/subtle"
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"time"
)

const secretLife = 2 * 365 * 24 * time.Hour // of one that says no end

// secrets are all of the app's, its first one too, which has no end.
func (a App) secrets() []Secret {
	all := slices.Clone(a.Secrets)
	if a.Secret != "" {
		all = append(all, Secret{KeyID: guidOf(a.ClientID, "secret"), Name: "first", Value: a.Secret, Start: sampleStart(), End: sampleStart().AddDate(100, 0, 0)})
	}
	return all
}

func (a App) passwordEntities() []entity {
	list := []entity{}
	for _, s := range a.secrets() {
		list = append(list, s.entity())
	}
	return list
}

// entity is a password credential as it is listed: without the secret.
func (s Secret) entity() entity {
	return entity{"customKeyIdentifier": nil, "displayName": orNull(s.Name), "endDateTime": s.End.UTC().Format(graphTime), "hint": s.Value[:min(3, len(s.Value))],
		"keyId": s.KeyID, "secretText": nil, "startDateTime": s.Start.UTC().Format(graphTime)}
}

// checkSecret compares a client secret with those of the app.
func (a App) checkSecret(secret string, now time.Time) *stsError {
	for _, s := range a.secrets() {
		if subtle.ConstantTimeCompare([]byte(secret), []byte(s.Value)) != 1 {
			continue
		}
		if now.Before(s.End) {
			return nil
		}
		return &stsError{Status: http.StatusUnauthorized, OAuth: "invalid_client", Code: 7000222,
			Message: "The provided client secret keys for app '" + a.ClientID + "' are expired. Visit the Azure portal to create new keys for your app: " +
				"https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."}
	}
	return &stsError{Status: http.StatusUnauthorized, OAuth: "invalid_client", Code: 7000215,
		Message: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, " +
			"not the client secret ID, for a secret added to app '" + a.ClientID + "'."}
}

// usable refuses an app that is switched off or has no service principal.
func (a App) usable(tenant string) *stsError {
	switch {
	case a.PrincipalID == "":
		return &stsError{OAuth: "unauthorized_client", Code: 7000229, Message: "The client application " + a.ClientID + " is missing service principal in the tenant " + tenant + "."}
	case a.Disabled:
		return &stsError{OAuth: "unauthorized_client", Code: 7000112, Message: "Application '" + a.ClientID + "'(" + a.Name + ") is disabled."}
	}
	return nil
}

// expiredKey says in Entra's words that a certificate is over; empty when it is not.
func expiredKey(cert *x509.Certificate, now time.Time) string {
	if now.Before(cert.NotAfter) {
		return ""
	}
	return "The key was expired., Thumbprint of key used by client, Found key 'Start=" + cert.NotBefore.UTC().Format(time.RFC3339) + ", End=" + cert.NotAfter.UTC().Format(time.RFC3339) + "'"
}

// ExpireSecrets ends all secrets of an app now.
func (t *Tenant) ExpireSecrets(clientID string) error {
	return t.changeApp(clientID, func(a *App) {
		a.Secrets = a.secrets()
		a.Secret = ""
		for i := range a.Secrets {
			a.Secrets[i].End = t.now()
		}
	})
}

// AddSecret gives an app one more client secret and returns it. lasts 0: two years.
func (t *Tenant) AddSecret(clientID, name string, lasts time.Duration) (Secret, error) {
	if lasts == 0 {
		lasts = secretLife
	}
	made := Secret{KeyID: newGUID(), Name: name, Value: "sim8Q~" + randomID(26), Start: t.now(), End: t.now().Add(lasts)}
	return made, t.changeApp(clientID, func(a *App) { a.Secrets = append(slices.Clone(a.Secrets), made) })
}

func (t *Tenant) addPassword(r graphRequest, app App) (graphAnswer, error) {
	var body struct {
		PasswordCredential struct {
			DisplayName string
			EndDateTime *time.Time
		}
	}
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	var lasts time.Duration
	if end := body.PasswordCredential.EndDateTime; end != nil {
		if lasts = end.Sub(t.now()); lasts <= 0 {
			return graphAnswer{}, badRequest("Credential end date is in the past.")
		}
	}
	made, err := t.AddSecret(app.ClientID, body.PasswordCredential.DisplayName, lasts)
	if err != nil {
		return graphAnswer{}, err
	}
	e := made.entity()
	e["@odata.context"], e["secretText"] = t.graphURL("$metadata#microsoft.graph.passwordCredential"), made.Value
	return graphAnswer{Body: e}, nil
}

func (t *Tenant) removePassword(r graphRequest, app App) (graphAnswer, error) {
	var body struct{ KeyID string }
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	return graphAnswer{}, t.RemoveSecret(app.ClientID, body.KeyID)
}

// RemoveSecret takes a client secret away.
func (t *Tenant) RemoveSecret(clientID, keyID string) error {
	return t.editApp(clientID, func(a *App) error {
		all := a.secrets()
		i := slices.IndexFunc(all, func(s Secret) bool { return strings.EqualFold(s.KeyID, keyID) })
		if i < 0 {
			return badRequest("No password credential found with keyId '" + keyID + "'.")
		}
		if all[i].Value == a.Secret {
			a.Secret = ""
			return nil
		}
		a.Secrets = slices.DeleteFunc(slices.Clone(a.Secrets), func(s Secret) bool { return strings.EqualFold(s.KeyID, keyID) })
		return nil
	})
}
