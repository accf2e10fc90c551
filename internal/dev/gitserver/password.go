package gitserver

import (
	"crypto/subtle"
	"errors"
	"net/http"
)

// Password accepts one user name with one password.
type Password struct {
	User, Secret string
}

// Challenge implements Authenticator.
func (p Password) Challenge() string { return `Basic realm="git"` }

// Caller implements Authenticator.
func (p Password) Caller(r *http.Request) (Caller, error) {
	user, secret, ok := r.BasicAuth()
	if !ok {
		return Caller{}, errors.New("there is no password")
	}
	same := subtle.ConstantTimeCompare([]byte(user), []byte(p.User)) & subtle.ConstantTimeCompare([]byte(secret), []byte(p.Secret))
	if same != 1 {
		return Caller{}, errors.New("the password is wrong")
	}
	return Caller{ID: user, Name: user}, nil
}
