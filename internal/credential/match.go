package credential

import (
	"crypto/sha1" //nolint:gosec // a certificate's thumbprint, as Entra shows it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// hintLength is how many characters of a client secret Microsoft Graph tells (passwordCredential's `hint`).
const hintLength = 3

// HasSecret reports whether one of the app's client secrets begins with a hint of the app registration.
func (a *App) HasSecret(hint string) bool {
	if len(hint) < hintLength {
		return false
	}
	for _, e := range a.list {
		var secret string
		switch c := e.Credential.(type) {
		case secretFile:
			secret, _ = readLine(c.file) // one that cannot be read is found elsewhere
		case known:
			secret = string(c)
		}
		if secret != "" && strings.HasPrefix(secret, hint) {
			return true
		}
	}
	return false
}

// HasCertificate reports whether one of the app's certificates has a thumbprint, in base64 or hexadecimal: Graph's
// customKeyIdentifier is the SHA-1 in one or the other, by how the certificate was added.
func (a *App) HasCertificate(thumbprint string) bool {
	for _, e := range a.list {
		c, ok := e.Credential.(*certificate)
		if !ok || thumbprint == "" {
			continue
		}
		p, err := c.read()
		if err != nil {
			continue
		}
		one, two := sha1.Sum(p.cert.Raw), sha256.Sum256(p.cert.Raw) //nolint:gosec // as above
		for _, sum := range [][]byte{one[:], two[:]} {
			if strings.EqualFold(hex.EncodeToString(sum), thumbprint) || thumbprint == base64.StdEncoding.EncodeToString(sum) ||
				thumbprint == base64.StdEncoding.EncodeToString([]byte(strings.ToUpper(hex.EncodeToString(sum)))) {
				return true
			}
		}
	}
	return false
}
