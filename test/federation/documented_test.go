package federation

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// document is what an issuer says of itself.
type document struct {
	Issuer     string   `json:"issuer"`
	Keys       string   `json:"jwks_uri"`
	Algorithms []string `json:"id_token_signing_alg_values_supported"`
	Subjects   []string `json:"subject_types_supported"`
	Responses  []string `json:"response_types_supported"`
}

// shown is a token as its receiver sees it.
type shown struct {
	raw             string
	header, payload map[string]any
	document        document
	keys            jose.JSONWebKeySet
}

func (s shown) text(claim string) string { v, _ := s.payload[claim].(string); return v }
func (s shown) time(claim string) time.Time {
	v, _ := s.payload[claim].(float64)
	return time.Unix(int64(v), 0)
}
func (s shown) alg() string { v, _ := s.header["alg"].(string); return v }
func (s shown) kid() string { v, _ := s.header["kid"].(string); return v }

// signed verifies the signature with the one key of the issuer's that the token names.
func (s shown) signed(algorithms ...jose.SignatureAlgorithm) bool {
	parsed, err := jose.ParseSignedCompact(s.raw, algorithms)
	keys := s.keys.Key(s.kid())
	if err != nil || len(keys) != 1 {
		return false
	}
	_, err = parsed.Verify(keys[0].Key)
	return err == nil
}

// check is something that a receiver of tokens says it demands.
type check struct {
	demands string
	holds   func(shown) bool
}

const skew = 5 * time.Minute

// everywhere is what all of them demand: OpenID Connect Core 1.0, section 2, and Discovery 1.0, sections 3 and 4.3.
var everywhere = []check{
	{"the discovery document is that of the issuer", func(s shown) bool { return s.document.Issuer == s.text("iss") }},
	{"the issuer is https, or on loopback in a sample world", func(s shown) bool {
		return strings.HasPrefix(s.text("iss"), "https://") || strings.Contains(s.text("iss"), ".localhost")
	}},
	{"the algorithm is announced", func(s shown) bool { return slices.Contains(s.document.Algorithms, s.alg()) }},
	{"the key is published, under one ID", func(s shown) bool { return s.kid() != "" && len(s.keys.Key(s.kid())) == 1 }},
	{"iat is past, exp is to come", func(s shown) bool {
		return !s.time("iat").After(time.Now().Add(skew)) && s.time("exp").After(time.Now())
	}},
	{"aud is one text", func(s shown) bool { return s.text("aud") != "" }},
	{"sub is ASCII, at most 255 characters", func(s shown) bool {
		return s.text("sub") != "" && len(s.text("sub")) <= 255 && strings.IndexFunc(s.text("sub"), func(r rune) bool { return r > 126 || r < 32 }) < 0
	}},
}

// receivers are those that verify tokens by themselves, with where they say what they demand.
var receivers = []struct {
	name, source, audience, command string
	checks                          []check
}{
	{"AWS", "https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html and https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html",
		"sts.amazonaws.com", "cat $AWS_WEB_IDENTITY_TOKEN_FILE", []check{
			{"RS256 is taken", func(s shown) bool { return s.signed(jose.RS256) }},
			{"the token has from 4 to 20000 characters", func(s shown) bool { return len(s.raw) >= 4 && len(s.raw) <= 20000 }},
			{"iss, sub, aud, iat and exp are there", func(s shown) bool {
				return s.text("iss") != "" && s.text("sub") != "" && s.text("aud") != "" && s.payload["iat"] != nil && s.payload["exp"] != nil
			}},
			{"where azp is there, it is what the provider's list of audiences holds", func(s shown) bool {
				return s.payload["azp"] == nil || s.text("azp") == s.text("aud")
			}},
			{"the provider's document has response types, subject types and algorithms with RS256", func(s shown) bool {
				return len(s.document.Responses) > 0 && len(s.document.Subjects) > 0 && slices.Contains(s.document.Algorithms, "RS256")
			}},
			{"an audience has at most 255 characters", func(s shown) bool { return len(s.text("aud")) <= 255 }},
		}},
	{"AWS, with Gitpod's claims", "as above; azp stands in the place of aud in a role's conditions",
		"sts.amazonaws.com", "gp idp token --audience sts.amazonaws.com", []check{
			{"RS256 is taken", func(s shown) bool { return s.signed(jose.RS256) }},
			{"azp is the audience", func(s shown) bool { return s.text("azp") == "sts.amazonaws.com" }},
			{"sub is what Gitpod's was", func(s shown) bool { return s.text("sub") == payments }},
		}},
	{"Google Cloud", "https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token and https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers",
		googleProvider, "lanyard token --audience google", []check{
			{"alg is RS256 or ES256, and there is a kid", func(s shown) bool { return s.signed(jose.RS256, jose.ES256) && s.kid() != "" }},
			{"aud is the provider's full name", func(s shown) bool { return s.text("aud") == googleProvider }},
			{"iat is past", func(s shown) bool { return !s.time("iat").After(time.Now().Add(time.Second)) }},
			{"exp is less than 24 hours after iat", func(s shown) bool { return s.time("exp").Sub(s.time("iat")) < 24*time.Hour }},
			{"google.subject, as a rule sub, has at most 127 bytes", func(s shown) bool { return len(s.text("sub")) <= 127 }},
			{"an audience has at most 256 characters", func(s shown) bool { return len(s.text("aud")) <= 256 }},
			{"RSA keys have 2048 to 4096 bits", func(s shown) bool { return rsaBits(s) >= 2048 && rsaBits(s) <= 4096 }},
		}},
	{"Vault", "https://developer.hashicorp.com/vault/api-docs/auth/jwt and https://developer.hashicorp.com/vault/docs/auth/jwt",
		"vault.hashicorp.com", "lanyard token --audience vault", []check{
			{"bound_audiences holds aud", func(s shown) bool { return s.text("aud") == "vault.hashicorp.com" }},
			{"bound_issuer is iss, to the letter", func(s shown) bool {
				return s.text("iss") == s.document.Issuer && !strings.HasSuffix(s.text("iss"), "/")
			}},
			{"user_claim is a text: sub, or oid", func(s shown) bool { return s.text("sub") != "" && s.text("oid") != "" }},
			{"groups_claim is a list of texts: roles", func(s shown) bool {
				roles, ok := s.payload["roles"].([]any)
				return ok && len(roles) > 0
			}},
			{"bound_claims can name the project and the repository", func(s shown) bool { return s.text("project") == "payments" && s.text("repository") == payments }},
			{"one of iat, nbf and exp is there", func(s shown) bool {
				return s.payload["iat"] != nil || s.payload["nbf"] != nil || s.payload["exp"] != nil
			}},
			{"the algorithm is one that Vault takes by default with OIDC discovery", func(s shown) bool { return s.signed(jose.RS256) }},
		}},
	{"Azure", "https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations",
		"api://AzureADTokenExchange", "cat $AZURE_FEDERATED_TOKEN_FILE", []check{
			{"only RS256 is taken", func(s shown) bool { return s.signed(jose.RS256) }},
			{"iss, sub and aud have at most 600 characters and no space around", func(s shown) bool {
				for _, claim := range []string{"iss", "sub", "aud"} {
					if v := s.text(claim); len(v) > 600 || strings.TrimSpace(v) != v {
						return false
					}
				}
				return true
			}},
		}},
	{"Kubernetes", "https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens",
		"https://cluster.example.test", "lanyard token --audience cluster", []check{
			{"ES256 is taken", func(s shown) bool { return s.signed(jose.ES256) }},
			{"the claim for the user's name is a text", func(s shown) bool { return s.text("sub") != "" }},
			{"the claim for groups is a text or a list of texts", func(s shown) bool { _, ok := s.payload["roles"].([]any); return ok }},
		}},
}

func rsaBits(s shown) int {
	for _, k := range s.keys.Key(s.kid()) {
		if size, ok := k.Key.(interface{ Size() int }); ok {
			return size.Size() * 8
		}
	}
	return 0
}

// documented compares real tokens with what their receivers say that they demand.
func documented(t *testing.T, w *world) {
	var d document
	w.get(w.issuer+"/.well-known/openid-configuration", &d)
	var keys jose.JSONWebKeySet
	w.get(d.Keys, &keys)
	for _, r := range receivers {
		s := shown{raw: w.token(r.command), document: d, keys: keys}
		s.header, s.payload = claims(t, s.raw)
		if s.text("aud") != r.audience {
			t.Errorf("%s: the audience is %v", r.name, s.payload["aud"])
		}
		for _, c := range slices.Concat(everywhere, r.checks) {
			if !c.holds(s) {
				t.Errorf("%s demands that %s (%s); the token: %v %v", r.name, c.demands, r.source, s.header, s.payload)
			}
		}
		if life := s.time("exp").Sub(s.time("iat")); life > 10*time.Minute {
			t.Errorf("%s: the token is good for %s", r.name, life)
		}
		if s.payload["email"] != nil && !strings.HasPrefix(r.command, "gp ") {
			t.Errorf("%s: an e-mail address is told without being asked for: %v", r.name, s.payload)
		}
	}
}

func (w *world) get(address string, into any) {
	w.T.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, address, nil)
	if err != nil {
		w.T.Fatal(err)
	}
	status, body := w.Curl(r)
	if err := json.Unmarshal([]byte(body), into); err != nil || status != http.StatusOK {
		w.T.Fatalf("%s: %d %s %v", address, status, body, err)
	}
}
