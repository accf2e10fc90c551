package signin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

// verify checks an ID token. A token of a person in too many groups says where the rest can be asked for
// (`_claim_names`, `_claim_sources`; OpenID Connect Core, section 5.6.2), in more than one way. Nothing is ever asked
// there: what a token says must not choose where Lanyard connects to. All that is taken from it is that there are more
// groups, as `hasgroups` says it in other tokens.
func (p *provider) verify(ctx context.Context, raw string) (*oidc.IDToken, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return p.verifier.Verify(ctx, raw)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !bytes.Contains(payload, []byte(`_claim_`)) {
		return p.verifier.Verify(ctx, raw)
	}
	plain, err := withoutSources(payload, p.sources)
	if err != nil {
		return nil, err
	}
	// The library looks at the plain token's claims; the signature is that of the token as it came.
	parts[1] = base64.RawURLEncoding.EncodeToString(plain)
	keys := keySet(func(context.Context) ([]byte, error) { // its context carries the plain token, which nobody signed
		signed, err := p.keys.VerifySignature(ctx, raw)
		if err != nil {
			return nil, err
		}
		verified, err := withoutSources(signed, p.sources)
		if err == nil && !bytes.Equal(verified, plain) {
			err = errors.New("the token's claims are not those that were signed")
		}
		return verified, err
	})
	return oidc.NewVerifier(p.issuer, keys, p.checks).Verify(ctx, strings.Join(parts, "."))
}

// keySet is an oidc.KeySet for one token.
type keySet func(context.Context) ([]byte, error)

// VerifySignature implements oidc.KeySet.
func (k keySet) VerifySignature(ctx context.Context, _ string) ([]byte, error) { return k(ctx) }

// withoutSources are claims without where others could be asked for; that there are more groups stays. groups is the
// claim of them.
func withoutSources(payload []byte, groups string) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(payload, &all); err != nil {
		return nil, err
	}
	var names map[string]json.RawMessage
	if json.Unmarshal(all["_claim_names"], &names) == nil && names[groups] != nil {
		all["hasgroups"] = json.RawMessage("true")
		delete(all, groups)
	}
	delete(all, "_claim_names")
	delete(all, "_claim_sources")
	return json.Marshal(all)
}
