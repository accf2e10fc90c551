package registry

import (
	"errors"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Shown makes programs that get packages show a refusal's reason: npm prints a header, and go what is text. It returns what is
// left to answer.
func Shown(w http.ResponseWriter, r *http.Request, err error) error {
	if errors.Is(err, http.ErrAbortHandler) || problem.KindOf(err) == problem.Internal {
		return err
	}
	why := gateway.Printable(problem.Message(err))
	if r.Header.Get("Npm-Command") != "" {
		w.Header().Set("Npm-Notice", strings.ReplaceAll(why, "\n", " "))
	}
	asksModule := strings.Contains(r.URL.Path, "/@v/") || strings.HasSuffix(r.URL.Path, "/@latest")
	if asksModule && strings.HasPrefix(r.UserAgent(), "Go-http-client/") {
		w.Header().Set(problem.Header, problem.KindOf(err).String())
		gateway.WriteWhole(w, problem.KindOf(err).Status(), "text/plain; charset=utf-8", []byte(why+"\n"))
		return nil
	}
	return err
}
