package server

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/tlscert"
)

// makeCertificates reads what is shown when this server speaks TLS itself.
func (s *Server) makeCertificates() (err error) {
	o := s.options
	if len(o.Certificates) == 0 && o.ACME == nil {
		return nil
	}
	s.certificates, err = tlscert.New(tlscert.Config{Files: o.Certificates, ACME: o.ACME, Rows: s.store, Sealer: s.sealer, Log: s.log})
	return err
}

// secured is the listener of the sites, with TLS where this server speaks it.
func (s *Server) secured() net.Listener {
	if s.certificates == nil {
		return s.listener
	}
	return tls.NewListener(s.listener, s.certificates.TLS())
}

// plain leads from plain HTTP to https, to the same page of a host that is Lanyard's and otherwise to the first page.
func (s *Server) plain() http.Handler {
	_, port, _ := strings.Cut(s.front.pagesHost, ":")
	lead := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "Lanyard is at "+s.options.URL+": use https.", http.StatusBadRequest)
			return
		}
		host := strings.ToLower(r.Host)
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if port != "" {
			host += ":" + port
		}
		to := s.options.URL + "/"
		if s.front.serves(host) && strings.HasPrefix(r.URL.Path, "/") {
			to = "https://" + host + r.URL.RequestURI()
		}
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	})
	if s.certificates == nil {
		return lead
	}
	return s.certificates.Plain(lead)
}
