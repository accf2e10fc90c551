package review

import (
	"net/netip"
	"strings"
)

// browsers and systems are looked for in this order: most browsers claim to be others too.
var (
	browsers = [...][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"HeadlessChrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}, {"Go-http-client/", "a Go program"},
	}
	systems = [...][2]string{
		{"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"},
	}
)

// Device is a browser and its operating system in words, without versions: what stays the same when both are updated, and
// tells nothing else of whose it is.
func Device(agent string) string {
	browser, system := named(agent, browsers[:]), named(agent, systems[:])
	switch {
	case browser == "" && system == "":
		return "an unknown program"
	case system == "":
		return browser
	case browser == "":
		return "an unknown program on " + system
	}
	return browser + " on " + system
}

func named(agent string, known [][2]string) string {
	for _, k := range known {
		if strings.Contains(agent, k[0]) {
			return k[1]
		}
	}
	return ""
}

// Network is what is compared of an address, since people's addresses change within it: 24 bits of IPv4, 48 of IPv6.
// Loopback is one network. What is no address stands for itself.
func Network(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() {
		return "this machine"
	}
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return ip
	}
	return prefix.String()
}
