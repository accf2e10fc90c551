package apiserver

import (
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyardhq/lanyard/internal/problem"
)

var pathParam = regexp.MustCompile(`\{([a-z]+)\}`)

// document describes the table as OpenAPI 3.1, with schemas made from the wire types.
func document(table []endpoint) []byte {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schema := func(v any) *huma.Schema { return registry.Schema(reflect.TypeOf(v), true, "") }
	problems := &huma.Response{
		Description: "A problem document (RFC 9457)",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema(problem.Document{})}},
	}
	paths := map[string]*huma.PathItem{}
	for _, e := range table {
		op := &huma.Operation{
			Summary: e.says, OperationID: operationID(e), Responses: map[string]*huma.Response{"default": problems},
			Extensions: map[string]any{"x-lanyard-access": e.access.String()},
		}
		for _, m := range pathParam.FindAllStringSubmatch(e.path, -1) {
			op.Parameters = append(op.Parameters, &huma.Param{Name: m[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
		}
		for _, p := range e.query {
			op.Parameters = append(op.Parameters, &huma.Param{Name: p.name, In: "query", Description: p.says, Schema: &huma.Schema{Type: huma.TypeString}})
		}
		if e.in != nil {
			op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema(e.in)}}}
		}
		op.Responses[strconv.Itoa(e.success())] = e.response(schema)
		item := paths["/api/v1"+e.path]
		if item == nil {
			item = &huma.PathItem{}
			paths["/api/v1"+e.path] = item
		}
		switch e.method {
		case http.MethodGet:
			item.Get = op
		case http.MethodPost:
			item.Post = op
		case http.MethodPatch:
			item.Patch = op
		case http.MethodDelete:
			item.Delete = op
		}
	}
	spec := huma.OpenAPI{
		OpenAPI:    "3.1.0",
		Info:       &huma.Info{Title: "Lanyard", Version: "1", Description: "Workspaces whose access follows the directory."},
		Paths:      paths,
		Components: &huma.Components{Schemas: registry},
	}
	b, err := spec.MarshalJSON()
	if err != nil {
		panic("apiserver: the API's description cannot be encoded: " + err.Error()) // the table is ours: a defect
	}
	return b
}

func (e endpoint) success() int {
	if e.status == 0 {
		return http.StatusOK
	}
	return e.status
}

func (e endpoint) response(schema func(any) *huma.Schema) *huma.Response {
	x := &huma.Response{Description: http.StatusText(e.success())}
	if e.out == nil {
		return x
	}
	media := e.media
	if media == "" {
		media = "application/json"
	}
	x.Content = map[string]*huma.MediaType{media: {Schema: schema(e.out)}}
	return x
}

// operationID is a name like "post-workspaces-id-start".
func operationID(e endpoint) string {
	return strings.ToLower(e.method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(e.path)
}

func (s *server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	_, err := w.Write(s.spec)
	return err
}
