package aadsts

import (
	"strings"
	"testing"
	"unicode"
)

// Numbers that people and operators meet while signing in, of those that Microsoft lists.
var met = []int{
	50011, 700016, 50105, 50076, 50079, 50074, 50072, 50078, 53000, 53001, 53003, 530032, 530035, 53011, 50131, 50097, 50155, 135011, 65001,
	65004, 90094, 90095, 650056, 650057, 70000, 70008, 700082, 70043, 700084, 50173, 50132, 50133, 50057, 50053, 50055, 50126, 50034, 51004,
	50020, 50058, 16000, 54005, 501481, 700005, 7000215, 7000222, 7000218, 700025, 700027, 70021, 700054, 70011, 901002, 50194, 90130, 50196,
	70016, 70019,
}

func TestEveryNumberHasItsWords(t *testing.T) {
	for _, number := range met {
		if _, ok := Of(number); !ok {
			t.Errorf("AADSTS%d has no meaning", number)
		}
	}
	for number, m := range meanings {
		if m.What == "" || unicode.IsUpper([]rune(m.What)[0]) && !strings.HasPrefix(m.What, "Lanyard") {
			t.Errorf("%d: %q is a clause and begins small", number, m.What)
		}
		if strings.HasSuffix(m.What, ".") || !strings.HasSuffix(m.Do, ".") || m.Who == "" {
			t.Errorf("%d: %+v", number, m)
		}
	}
	if m, _ := Of(50105); m.Sentence() != "Your account is not assigned to Lanyard." {
		t.Errorf("%q", m.Sentence())
	}
	if _, ok := Of(12345678); ok || (Meaning{}).Sentence() != "" {
		t.Error("an unknown number means something")
	}
}

func TestRead(t *testing.T) {
	const correlation, trace = "a3c1e7a0-31e5-4f1f-9c1a-4b5f4f6b7c8d", "0f0e0d0c-31e5-4f1f-9c1a-4b5f4f6b7c8d"
	all := Told{50105, correlation, trace, "2026-11-23 14:00:00Z"}
	for text, want := range map[string]Told{
		"AADSTS50105: Your administrator has configured the application.\r\nTrace ID: " + trace + "\r\nCorrelation ID: " + correlation + "\r\nTimestamp: 2026-11-23 14:00:00Z": all,
		"Request Id: " + strings.ToUpper(trace) + "\nCorrelation Id: " + correlation + "\nTimestamp: 2026-11-23 14:00:00Z\nMessage: AADSTS50105: The signed in user":           all,
		"50105":                     {Number: 50105},
		" error 53003 ":             {Number: 53003},
		"AADSTS7000222":             {Number: 7000222},
		"I paid 50105 for this":     {},
		"":                          {},
		"AADSTS1234567890123456789": {},
		"Correlation ID: <script>":  {},
		strings.Repeat("x", readAtMost) + "AADSTS50105": {},
	} {
		if got := Read(text); got != want {
			t.Errorf("%.60q: %+v", text, got)
		}
	}
	if all.Code() != "AADSTS50105" || (Told{}).Code() != "" {
		t.Error(all.Code())
	}
}
