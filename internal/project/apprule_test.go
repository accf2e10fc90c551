package project

import (
	"strings"
	"testing"
)

const appWithRules = `project: p
resources:
  - app: ledger
    url: http://ledger.internal:8080
    http2: true
    timeouts: {dial: 2s, answer: 90s}
    rules:
`

func readRules(rules string) (App, error) {
	r, err := Parse(Input{Tenant: "t", Revision: Revision{Projects: map[string]string{"p.yaml": appWithRules + rules}}})
	if err != nil {
		return App{}, err
	}
	_, app, _ := r.Set.App("ledger")
	return app, nil
}

func TestAppRules(t *testing.T) {
	app, err := readRules(`      - {methods: [GET, HEAD], path: /entries/*, roles: [viewer, developer]}
      - {path: "/entries/*/audit", roles: [maintainer]}
      - {methods: [DELETE], path: /**, refuse: true}
      - {path: /admin/**, roles: [maintainer]}
      - {path: /, roles: [viewer]}
      - {path: /files/**, roles: [developer]}
`)
	if err != nil {
		t.Fatal(err)
	}
	if app.Connection.HTTP2 != HTTP2Always || app.Connection.Dial.Seconds() != 2 || app.Connection.Answer.Seconds() != 90 {
		t.Errorf("%+v", app.Connection)
	}
	for request, want := range map[string]string{
		"GET /entries/7": "viewer", "HEAD /entries/7/": "viewer", "GET /entries/%37": "viewer", "POST /entries/7": "", "GET /entries": "", "GET /entries/7/8": "",
		"GET /entries/7/audit": "maintainer", "DELETE /files/x": "", "DELETE /": "",
		"GET /admin": "maintainer", "GET /admin/": "maintainer", "POST /admin/users/9": "maintainer", "GET /%61dmin/x": "maintainer",
		"GET /ADMIN/x": "", "GET /Files/x": "", "get /entries/7": "", "GET /": "viewer", "GET /files": "developer", "PUT /files/a/b/c": "developer",
		"GET /files;x=1/a": "", "GET /admin;x": "", "GET /other": "", "GET /entries*": "",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := app.Rules.Rule(method, path); string(got.Role) != want || (got.Role == NoRole) != (got.Why != "") {
			t.Errorf("%s: %+v", request, got)
		}
	}
	for _, wrong := range []string{
		"      - {path: /x}\n", "      - {roles: [viewer]}\n", "      - {path: x, roles: [viewer]}\n", "      - {path: /x, roles: [admin]}\n",
		"      - {path: /x, roles: [viewer], refuse: true}\n", "      - {path: /x, refuse: false}\n", "      - {path: /**/x, refuse: true}\n",
		"      - {path: \"/a*\", refuse: true}\n", "      - {path: \"/a?b=c\", refuse: true}\n", "      - {path: /a%2fb, refuse: true}\n", "      - {path: /a//b, refuse: true}\n",
		"      - {path: /a/../b, refuse: true}\n", "      - {path: \"/a;b\", refuse: true}\n", "      - {path: /x, methods: [get], refuse: true}\n", "      - {path: /x, methods: [], refuse: true}\n",
		"      - {regex: \"/x.*\", refuse: true}\n", "      - {path: /x, roles: []}\n",
	} {
		if _, err := readRules(wrong); err == nil || !strings.HasPrefix(err.Error(), "p.yaml:8:") {
			t.Errorf("%s%v", wrong, err)
		}
	}
	for _, wrong := range []string{"http2: 2", "timeouts: {dial: 1ms}", "timeouts: {connect: 1s}"} {
		text := strings.Replace(strings.Replace(appWithRules, "http2: true", wrong, 1), "    timeouts: {dial: 2s, answer: 90s}\n    rules:\n", "", 1)
		if _, err := Parse(Input{Tenant: "t", Revision: Revision{Projects: map[string]string{"p.yaml": text}}}); err == nil {
			t.Errorf("accepted %s", wrong)
		}
	}
}
