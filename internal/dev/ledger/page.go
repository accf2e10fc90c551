package ledger

import (
	"html/template"
	"net/http"
	"slices"
)

// books is the ledger for people.
func books() *template.Template {
	return template.Must(template.New("books").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Ledger</title></head>
<body>
<h1>Ledger</h1>
<p>You are <strong data-testid="caller">{{.Caller.Name}}</strong>{{range .Caller.Roles}}, {{.}}{{end}} of {{.Caller.Project}}. The ledger keeps no passwords: Lanyard tells it who is calling.</p>
<table>
<tr><th>No.</th><th>Text</th><th>By</th><th>Amount</th></tr>
{{range .Entries}}<tr><td>{{.Number}}</td><td>{{.Text}}</td><td>{{.By}}</td><td>{{.Minor}}</td></tr>
{{end}}</table>
</body>
</html>
`))
}

func (l *Ledger) page(w http.ResponseWriter, _ *http.Request, c Caller) {
	l.mu.Lock()
	entries := slices.Clone(l.entries)
	l.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	_ = l.books.Execute(w, struct {
		Caller  Caller
		Entries []Entry
	}{c, entries}) // a client that is gone needs no answer
}
