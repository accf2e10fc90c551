package scim_test

import (
	"encoding/json"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

var limits = scim.ProviderConfig{MaxBulkOperations: 3, MaxBulkPayload: 10_000}

func bulk(ops string) (scim.Bulk, error) {
	return scim.ParseBulk([]byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"failOnErrors":1,"Operations":[`+ops+`]}`), limits)
}

func TestBulk(t *testing.T) {
	b, err := bulk(`{"method":"post","path":"/Groups","bulkId":"g","data":{"displayName":"g","members":[{"value":"bulkId:u"}]}},
		{"method":"DELETE","path":"/Users/9","version":"W/\"1\""},
		{"method":"POST","path":"/Users","bulkId":"u","data":{"userName":"bulkId: no reference"}}`)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, op := range b.Operations {
		order = append(order, op.Method+op.BulkID)
	}
	same(t, "order", order, []string{"POSTu", "POSTg", "DELETE"})
	if b.FailOnErrors != 1 || b.Operations[2].Version != `W/"1"` {
		t.Errorf("%+v", b)
	}
	_, err = b.Operations[1].Resolve(map[string]string{"other": "1"})
	refused(t, "nothing made it", err, 409, scim.InvalidValue)
	op, err := b.Operations[1].Resolve(map[string]string{"u": `id "1"`})
	if want := `{"displayName":"g","members":[{"value":"id \"1\""}]}`; err != nil || string(op.Data) != want {
		t.Errorf("resolved: %s, %v", op.Data, err)
	}
	op, err = scim.BulkOperation{Path: "/Users/bulkId:u"}.Resolve(map[string]string{"u": "1"})
	if err != nil || op.Path != "/Users/1" {
		t.Errorf("resolved: %s, %v", op.Path, err)
	}
	// A circle keeps its order; each refers to what is not there yet.
	b, err = bulk(`{"method":"POST","path":"/Groups","bulkId":"a","data":{"members":["bulkId:b"]}},{"method":"POST","path":"/Groups","bulkId":"b","data":{"members":["bulkId:a"]}}`)
	if err != nil || len(b.Operations) != 2 {
		t.Errorf("circle: %+v, %v", b, err)
	}
}

func TestBulkRefuses(t *testing.T) {
	for ops, scimType := range map[string]string{
		`7`: scim.InvalidSyntax, `{"method":"GET","path":"/Users"}`: scim.InvalidSyntax, `{"method":"POST","path":"/Users","data":{}}`: scim.InvalidSyntax,
		`{"method":"PUT","path":"/Users/1"}`: scim.InvalidSyntax, `{"method":"DELETE","path":"Users/1"}`: scim.InvalidPath, `{"method":7,"path":"/Users/1"}`: scim.InvalidSyntax,
		`{"method":"POST","path":"/Users","bulkId":"a","data":{}},{"method":"POST","path":"/Users","bulkId":"a","data":{}}`: scim.InvalidValue,
	} {
		_, err := bulk(ops)
		refused(t, ops, err, 400, scimType)
	}
	del := `{"method":"DELETE","path":"/Users/1"}`
	_, err := bulk(del + "," + del + "," + del + "," + del)
	refused(t, "many", err, 413, "")
	_, err = scim.ParseBulk(make([]byte, 20_000), limits)
	refused(t, "large", err, 413, "")
	_, err = scim.ParseBulk([]byte(`{"Operations":[]}`), limits)
	refused(t, "no schema", err, 400, scim.InvalidSyntax)
}

func TestBulkAnswer(t *testing.T) {
	b, err := json.Marshal(scim.BulkAnswer{{Method: "POST", BulkID: "a", Location: "/Users/1", Version: `W/"1"`, Status: 201}, {Method: "DELETE", Status: 404, Response: &scim.Error{Status: 404, Detail: "There is none."}}})
	want := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],"Operations":[{"location":"/Users/1","method":"POST","bulkId":"a","version":"W/\"1\"","status":"201"},` +
		`{"method":"DELETE","status":"404","response":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"There is none."}}]}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}
