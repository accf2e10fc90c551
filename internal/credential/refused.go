package credential

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/aadsts"
)

// Refused is the tenant's refusal of a token request (RFC 6749, section 5.2). It holds nothing secret.
type Refused struct {
	Status   int
	OAuth    string // the `error`, such as invalid_client: what a program goes by; empty in an answer that is no JSON
	Suberror string
	Number   int           // the AADSTS code, which may change: for people; 0 when there is none
	Says     string        // the first line of the description
	Advice   string        // what to do, where it is known
	After    time.Duration // how long the tenant asked to wait; 0 when it did not
	Told     aadsts.Told   // by what the tenant's administrators find it
	// Claims is what a new sign-in has to ask for so that a token is given then, a JSON object for the parameter of that
	// name (OpenID Connect Core, section 5.5); empty when nothing was said.
	Claims string
}

func (e *Refused) Error() string {
	s := "the tenant gave no token: "
	switch {
	case e.OAuth != "" && e.Number != 0:
		s += fmt.Sprintf("%s, AADSTS%d", e.OAuth, e.Number)
	case e.OAuth != "":
		s += e.OAuth
	default:
		s += fmt.Sprintf("it answered %d", e.Status)
	}
	if e.Advice != "" {
		return s + ": " + e.Advice
	}
	if e.Says != "" {
		return s + ": " + e.Says
	}
	return s
}

// code is where the number of an error stands in a description.
var code = regexp.MustCompile(`^AADSTS([0-9]{4,9})\b:?\s*`)

// In bytes.
const (
	saysAtMost   = 300
	claimsAtMost = 2048
)

func refusal(res *http.Response, content []byte, form url.Values) *Refused {
	var body struct {
		Error       string  `json:"error"`
		Description string  `json:"error_description"`
		Codes       []int64 `json:"error_codes"`
		Suberror    string  `json:"suberror"`
		Correlation string  `json:"correlation_id"`
		Trace       string  `json:"trace_id"`
		Time        string  `json:"timestamp"`
		Claims      string  `json:"claims"`
	}
	_ = json.Unmarshal(content, &body) // a gateway's page is no JSON; the status says enough then
	e := &Refused{Status: res.StatusCode, OAuth: word(body.Error), Suberror: word(body.Suberror)}
	e.Told = aadsts.Read("Correlation ID: " + body.Correlation + "\nTrace ID: " + body.Trace + "\nTimestamp: " + body.Time + "\n" + body.Description)
	if len(body.Claims) <= claimsAtMost && json.Unmarshal([]byte(body.Claims), &map[string]json.RawMessage{}) == nil {
		e.Claims = body.Claims
	}
	says, _, _ := strings.Cut(strings.ReplaceAll(body.Description, "\r", "\n"), "\n")
	if m := code.FindStringSubmatch(says); m != nil {
		e.Number, _ = strconv.Atoi(m[1])
		says = says[len(m[0]):]
	}
	if e.Number == 0 && len(body.Codes) > 0 {
		e.Number = int(body.Codes[0])
	}
	e.Told.Number = e.Number
	for _, key := range []string{"client_secret", "client_assertion", "refresh_token", "code", "code_verifier", "assertion"} {
		if sent := form.Get(key); sent != "" && strings.Contains(says, sent) {
			says = "" // it quotes what was sent
		}
	}
	e.Says = printable(says)
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.After = time.Duration(seconds) * time.Second
	}
	return e
}

// word keeps a code that came from outside as RFC 6749 allows it, cut short.
func word(s string) string {
	s = printable(s)
	return s[:min(len(s), 60)]
}

func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), saysAtMost)]
}

// OfCredential says that it is the credential that was not taken; everything else holds for any credential. The number
// is looked at besides, because a federated credential is refused with other words too.
func (e *Refused) OfCredential() bool {
	_, known := advice[e.Number]
	return e.OAuth == "invalid_client" || known
}

// advice says in words what the codes of refused credentials mean, and what to do. %[1]s is the file; %[2]s what a
// federated token says of itself.
//
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var advice = map[int]string{
	7000215: "the client secret%[1]s is wrong. Often it is the secret's ID: put the secret's value into the file, which Entra shows once, when the secret is made",
	7000222: "the client secret%[1]s has expired. Make a new one at the app registration under Certificates & secrets, and put it into the file; better, use a federated credential or a certificate",
	7000218: "no client secret or assertion arrived; look whether something between Lanyard and the tenant changes requests",
	700027:  "the certificate%[1]s is not one of the app registration's, or has expired there. Add it under Certificates & secrets, and look at this machine's clock",
	700024:  "the assertion%[1]s is not valid at this moment. Look at this machine's clock%[2]s",
	70021:   "no federated credential of the app registration matches the token%[1]s%[2]s. Issuer, subject and audience must be the same to the letter; a new one takes some minutes to be known",
	700211:  "no federated credential of the app registration has the issuer of the token%[1]s%[2]s",
	700212:  "no federated credential of the app registration has the audience of the token%[1]s%[2]s; it is api://AzureADTokenExchange, and the only one",
	700213:  "no federated credential of the app registration has the subject of the token%[1]s%[2]s",
	700223:  "the token%[1]s cannot be verified by the tenant%[2]s: its issuer's keys must be reachable from the internet, and the signature RS256",
	700025:  "the app registration is a public client, which may have no credential. Turn off 'Allow public client flows'",
}

// others are refusals that no other credential would mend.
var others = map[int]string{
	700016:  "the tenant has no app registration of this client_id. Compare client_id and tenant with the overview page of the app registration",
	90002:   "there is no tenant of this ID. Compare it with the overview page of Entra",
	7000112: "the app is disabled at the tenant. Turn on 'Enabled for users to sign in' of its enterprise application",
	7000229: "the app registration has no enterprise application in the tenant. An administrator has to consent to it once",
	53003:   "a Conditional Access policy for workload identities blocks Lanyard from here. Look at the sign-in logs of its service principal",
}

func advise(number int, file string, p Proof) string {
	text, known := advice[number]
	if !known {
		return others[number]
	}
	says := ""
	if file != "" {
		file = " in " + file
	}
	if p.Says != "" {
		says = " (" + printable(p.Says) + ")"
	}
	// Not every text has both; an unused argument is no error that way.
	return strings.NewReplacer("%[1]s", file, "%[2]s", says).Replace(text)
}
