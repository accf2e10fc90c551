package browser

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// jar keeps cookies in memory, each for the exact host that set it: Lanyard's cookies carry the prefix __Host-, and a
// Domain attribute would be of no use here. Unlike net/http/cookiejar it keeps Secure cookies of plain http, which
// browsers do for *.localhost, and this browser goes nowhere else by http.
type jar struct {
	mu    sync.Mutex
	hosts map[string]map[string]string
}

// SetCookies implements http.CookieJar.
func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	host := strings.ToLower(u.Hostname())
	if j.hosts == nil {
		j.hosts = map[string]map[string]string{}
	}
	if j.hosts[host] == nil {
		j.hosts[host] = map[string]string{}
	}
	for _, c := range cookies {
		if c.MaxAge < 0 {
			delete(j.hosts[host], c.Name)
			continue
		}
		j.hosts[host][c.Name] = c.Value
	}
}

// Cookies implements http.CookieJar.
func (j *jar) Cookies(u *url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []*http.Cookie
	for name, value := range j.hosts[strings.ToLower(u.Hostname())] {
		list = append(list, &http.Cookie{Name: name, Value: value})
	}
	slices.SortFunc(list, func(a, b *http.Cookie) int { return strings.Compare(a.Name, b.Name) })
	return list
}
