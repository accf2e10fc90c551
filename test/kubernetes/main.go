// Authenticate reads a structured authentication configuration as the Kubernetes API server does, and says for each line of
// standard input, which is a token, whom the API server would take its bearer for.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

// answer is one line of output.
type answer struct {
	Accepted bool                `json:"accepted"`
	Name     string              `json:"name,omitempty"`
	UID      string              `json:"uid,omitempty"`
	Groups   []string            `json:"groups,omitempty"`
	Extra    map[string][]string `json:"extra,omitempty"`
	Error    string              `json:"error,omitempty"`
}

func main() {
	config := flag.String("config", "", "the `file` with the AuthenticationConfiguration")
	to := flag.String("to", "", "the `address` at which all hosts are")
	flag.Parse()
	if err := run(context.Background(), *config, *to); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file, to string) error {
	c, err := read(file)
	if err != nil {
		return err
	}
	a, err := authenticator(ctx, c.JWT[0], to)
	if err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); a.HealthCheck() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return a.HealthCheck()
		}
	}
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		said := answer{}
		response, ok, err := a.AuthenticateToken(ctx, lines.Text())
		switch {
		case err != nil:
			said.Error = err.Error()
		case !ok:
			said.Error = "it is not for this authenticator"
		default:
			said = answer{Accepted: true, Name: response.User.GetName(), UID: response.User.GetUID(), Groups: response.User.GetGroups(), Extra: response.User.GetExtra()}
		}
		if err := out.Encode(said); err != nil {
			return err
		}
	}
	return lines.Err()
}

// read reads and checks the file: strictly, and with defaults.
func read(file string) (*apiserver.AuthenticationConfiguration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	c := new(apiserver.AuthenticationConfiguration)
	if err := runtime.DecodeInto(codecs.UniversalDecoder(), text, c); err != nil {
		return nil, err
	}
	return c, validation.ValidateAuthenticationConfiguration(authenticationcel.NewDefaultCompiler(), c, nil).ToAggregate()
}

func authenticator(ctx context.Context, c apiserver.JWTAuthenticator, to string) (oidc.AuthenticatorTokenWithHealthCheck, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(c.Issuer.CertificateAuthority)) {
		return nil, fmt.Errorf("the issuer has no certificate authority")
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, to)
		},
	}}
	return oidc.New(ctx, oidc.Options{JWTAuthenticator: c, Client: client, SupportedSigningAlgs: oidc.AllValidSigningAlgorithms()})
}
