package dashboard

import (
	"net/http"

	"github.com/lanyardhq/lanyard/internal/aadsts"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// trouble says what a message means that the tenant shows on a page of its own, from where nothing leads back.
func (d *Dashboard) trouble(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query().Get("q")
	told := aadsts.Read(q)
	meaning, known := aadsts.Of(told.Number)
	page := struct {
		Asked bool
		What  string
		Help  problem.Help
	}{Asked: q != ""}
	if known {
		page.What = meaning.Sentence()
		page.Help = problem.Help{Code: told.Code(), Who: string(meaning.Who), Do: meaning.Do, Correlation: told.Correlation, Trace: told.Trace, Time: told.Time}
	}
	d.render(w, http.StatusOK, "trouble.html", page, policy{})
	return nil
}
