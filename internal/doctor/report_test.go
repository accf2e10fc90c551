package doctor

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// TestAReportFindsTheSame: whatever is found is found again in the report of it, read from its file.
func TestAReportFindsTheSame(t *testing.T) {
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			h := sound()
			c.plant(&h)
			Diagnose(&h)
			r, err := NewReport("v1", h)
			if err != nil {
				t.Fatal(err)
			}
			var file bytes.Buffer
			if err := r.Write(&file); err != nil {
				t.Fatal(err)
			}
			again, err := ReadReport(&file)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := codes(again.Health), codes(h); !slices.Equal(got, want) || again.Health.Sound != h.Sound {
				t.Errorf("found %v, and in the report %v", want, got)
			}
		})
	}
}

func codes(h api.DirectoryHealth) (all []string) {
	for _, f := range h.Findings {
		all = append(all, fmt.Sprint(f.Problem, " ", f.Code))
	}
	return all
}

// telling is what must not stand in a report, in the forms in which it comes.
const telling = `ada.lovelace@contoso.com at https://lanyard.contoso.com:8443/x/67224801-dc28-4774-a21b-13838a428c41?code=s3cret ` +
	`from 10.20.30.40 and fe80:1:2:3:4:5:6:7, dial tcp: lookup lanyard.contoso.com, open /etc/lanyard/app.pem: no such file; app "Contoso Lanyard" 'Contoso Ltd' (Contoso user).`

// traces are the parts of telling that give somebody away.
var traces = []string{"ada.lovelace", "contoso", "67224801", "s3cret", "10.20.30", "fe80:1", "app.pem", "/etc/lanyard"}

// TestAReportNamesNobody fills every text of an observation, whatever fields it has, with what must not be in a report.
func TestAReportNamesNobody(t *testing.T) {
	h := sound()
	fill(reflect.ValueOf(&h), telling)
	r, err := NewReport("v1", h)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := r.Write(&file); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(file.String()) {
		for _, trace := range traces {
			if strings.Contains(strings.ToLower(line), trace) {
				t.Errorf("%s stands in %s", trace, line)
			}
		}
	}
}

func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		fill(v.Elem(), text)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), text)
			}
		}
	case reflect.Slice:
		if v.Len() == 0 && v.CanSet() && v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(text)
		}
	}
}

// TestAReportKeepsWhatIsEqual: what stands for a name is the same everywhere, and what is everybody's stays.
func TestAReportKeepsWhatIsEqual(t *testing.T) {
	h := sound()
	h.URL = "https://lanyard.contoso.com"
	h.Redirects[0].URL, h.Outside[0].Address, h.Outside[0].Names = h.URL+"/login/callback/entra", h.URL+"/oauth/jwks", []string{"*.contoso.com", "lanyard.contoso.com"}
	r, err := NewReport("v1", h)
	if err != nil {
		t.Fatal(err)
	}
	m := r.Health
	if m.Redirects[0].URL != m.URL+"/login/callback/entra" || m.Outside[0].Address != m.URL+"/oauth/jwks" || "https://"+m.Outside[0].Names[1] != m.URL || !strings.HasPrefix(m.Outside[0].Names[0], "*.host-") {
		t.Errorf("%s %s %v", m.Redirects[0].URL, m.Outside[0].Address, m.Outside[0].Names)
	}
	if !strings.HasPrefix(m.Discovery.Issuer, "https://login.microsoftonline.com/00000000-0000-4000-8000-") || m.Discovery.Issuer != m.Discovery.Wanted {
		t.Error(m.Discovery.Issuer)
	}
	if h.URL != "https://lanyard.contoso.com" || h.SignIn.Name != "Ada Lovelace" {
		t.Error("what was observed was changed by making a report")
	}
	for _, c := range m.SignIn.Claims {
		if c.Name == "name" && c.Value != `"…"` || c.Name == "groups" && c.Value != "2" {
			t.Errorf("%+v", c)
		}
	}
}

// TestAReportNamesNoHostOfACertificate: the hosts that Go's errors list beside addresses are replaced like those in addresses.
func TestAReportNamesNoHostOfACertificate(t *testing.T) {
	certificate := &x509.Certificate{DNSNames: []string{"intranet.contoso.com", "*.wiki.contoso.com", "login.microsoftonline.com"}}
	for _, err := range []error{
		x509.HostnameError{Certificate: certificate, Host: "lanyard.fabrikam.com"},
		x509.HostnameError{Certificate: &x509.Certificate{DNSNames: slices.Repeat([]string{"a.contoso.com"}, 200)}, Host: "lanyard.fabrikam.com"},
		x509.HostnameError{Certificate: &x509.Certificate{}, Host: "lanyard.fabrikam.com"},
		&net.DNSError{Err: "no such host", Name: "lanyard.fabrikam.com", Server: "10.20.30.40:53", IsNotFound: true},
		&net.DNSError{Err: "no such host", Name: "lanyard.fabrikam.com"},
	} {
		h := sound()
		h.Outside[0].Trouble, h.Outside[0].Problem, h.Outside[0].Names = "tls-name", err.Error(), certificate.DNSNames
		h.Discovery.Problem = "tls: failed to verify certificate: " + err.Error()
		r, failed := NewReport("v1", h)
		if failed != nil {
			t.Fatal(failed)
		}
		var file bytes.Buffer
		if err := r.Write(&file); err != nil {
			t.Fatal(err)
		}
		for _, trace := range []string{"contoso", "fabrikam", "10.20.30"} {
			if strings.Contains(file.String(), trace) {
				t.Errorf("%s of %q stands in the report:\n%s\n%s", trace, err, r.Health.Outside[0].Problem, r.Health.Discovery.Problem)
			}
		}
	}
}

// TestReadReport refuses what is no report.
func TestReadReport(t *testing.T) {
	for _, text := range []string{"", "{}", `{"lanyard_report": 99}`, `[1]`, `{"lanyard_report": 1, "health": 7}`, strings.Repeat(" ", readAtMost+2)} {
		if _, err := ReadReport(strings.NewReader(text)); err == nil {
			t.Errorf("%.40q was taken for a report", text)
		}
	}
}
