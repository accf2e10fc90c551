package config

import "testing"

func TestSignInLog(t *testing.T) {
	if c := withCredential(t, "/etc/lanyard", "{secret_file: s}\n  sign_in_log: none"); c.Entra.SignInLog != NoSignInLog {
		t.Errorf("none is read as %q", c.Entra.SignInLog)
	}
	if c := withCredential(t, "/etc/lanyard", "{secret_file: s}"); c.Entra.SignInLog != "" {
		t.Errorf("nothing is read as %q", c.Entra.SignInLog)
	}
}
