package httpproxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
)

const ruled = `resources:
  - app: echo
    url: https://echo.example.test/base
    rules:
      - {methods: [GET], path: /public/**, roles: [viewer]}
      - {path: /admin/**, roles: [maintainer]}
      - {path: /**, roles: [developer]}
`

// TestRulesOfAnApp: a request is judged by its method and its path's segments, on the bytes that are forwarded.
func TestRulesOfAnApp(t *testing.T) {
	s := newSceneOf(t, ruled)
	ada, linus := s.serve(t, gatewaytest.Ada), s.serve(t, gatewaytest.Linus)
	for _, c := range []struct {
		as     string
		method string
		path   string
		want   int
	}{
		{gatewaytest.Ada, "GET", "/public/x", 200}, {gatewaytest.Ada, "POST", "/public/x", 200}, {gatewaytest.Ada, "GET", "/books", 200},
		{gatewaytest.Ada, "GET", "/admin/x", 403}, {gatewaytest.Ada, "GET", "/admin", 403}, {gatewaytest.Ada, "GET", "/admin/", 403},
		{gatewaytest.Ada, "GET", "/%61dmin/x", 403}, {gatewaytest.Ada, "GET", "/Admin/x", 403}, {gatewaytest.Ada, "GET", "/admin;a=b/x", 403},
		{gatewaytest.Ada, "GET", "/x?/admin", 200}, {gatewaytest.Ada, "GET", "/public/../admin", 400}, {gatewaytest.Ada, "GET", "/admin%2fx", 400},
		{gatewaytest.Linus, "GET", "/public/x", 200}, {gatewaytest.Linus, "POST", "/public/x", 403}, {gatewaytest.Linus, "GET", "/books", 403},
		{gatewaytest.Linus, "GET", "/x?/public/", 403}, {gatewaytest.Linus, "HEAD", "/public/x", 403},
	} {
		server := ada
		if c.as == gatewaytest.Linus {
			server = linus
		}
		resp, body := plainRequest(t, server, c.method+" /r/echo"+c.path+" HTTP/1.1\r\nHost: lanyard.example.test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		if resp.StatusCode != c.want {
			t.Errorf("%s %s %s: %s %s", c.as[:4], c.method, c.path, resp.Status, body)
		}
	}
	if _, body := get(t, ada.URL+"/r/echo/admin/x"); !strings.Contains(body, "GET /admin/x takes the role maintainer by the app's rule /admin/**") {
		t.Errorf("the refusal says %s", body)
	}
	gatewaytest.Eventually(t, "the refusal is in the audit log", func() bool {
		for _, e := range s.Audit.Find(identity.AppCall, audit.Denied) {
			if e.Detail["path"] == "/admin/x" {
				return true
			}
		}
		return false
	})
}

// TestRulesThatChangeCut: what a rule allowed ends when the rule does.
func TestRulesThatChangeCut(t *testing.T) {
	s := newSceneOf(t, ruled)
	asked := make(chan struct{})
	s.mu.Lock()
	s.hold = asked
	s.mu.Unlock()
	go func() {
		<-asked
		parsed, err := project.Parse(project.Input{Tenant: gatewaytest.Tenant, Names: s.names(), Revision: project.Revision{Projects: map[string]string{
			"payments.yaml": strings.Replace(gatewaytest.File(ruled), "{path: /**, roles: [developer]}", "{path: /**, refuse: true}", 1),
		}}})
		if err != nil {
			t.Error(err)
			return
		}
		s.Engine.Publish(func(f access.Facts) access.Facts {
			f.Projects = parsed.Set
			return f
		}, access.Touched{All: true})
	}()
	resp, body := get(t, s.serve(t, gatewaytest.Ada).URL+"/r/echo/hold")
	if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "the project refuses it") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// names are the projects of the scene by their IDs.
func (s *scene) names() []project.Name {
	var list []project.Name
	for _, p := range s.Engine.Facts().Projects.All() {
		list = append(list, project.Name{Name: p.Name, ID: p.ID})
	}
	return list
}
