package account

import (
	"os"
	"strings"
)

// machineID is what the operating system tells machines apart by (machine-id(5)); empty where it does not.
func machineID() string {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if text, err := os.ReadFile(path); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}
