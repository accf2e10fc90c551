package entra

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestDocumentedPages: every page that the documentation shows is understood, one of another kind of object too, whose
// sample has no ID and is therefore nobody.
func TestDocumentedPages(t *testing.T) {
	pages := append(documentedPages(t, "users-delta-sequence.doc.json"), documentedPages(t, "groups-delta-sequence.doc.json")...)
	principals, err := os.ReadFile("testdata/serviceprincipals-delta.doc.json")
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range append(pages, principals) {
		var page deltaPage
		if err := page.read(bytes.NewReader(b)); err != nil {
			t.Errorf("page %d: %v", i, err)
		}
		if (page.NextLink == "") == (page.DeltaLink == "") {
			t.Errorf("page %d has the links %q and %q", i, page.NextLink, page.DeltaLink)
		}
		if want := strings.Count(string(b), `"displayName"`); len(page.Items) < want {
			t.Errorf("page %d has %d items, want %d or more", i, len(page.Items), want)
		}
		for _, it := range page.Items {
			if it.ID == "" && (it.DisplayName.value != "" && it.DisplayName.value != "All Company") {
				t.Errorf("page %d: %+v", i, it)
			}
		}
	}
	g := newGathering("8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01", nil, nil, nil)
	var page deltaPage
	if err := page.read(bytes.NewReader(principals)); err != nil {
		t.Fatal(err)
	}
	g.page(users, page.Items)
	if g.items != 0 {
		t.Error("who has no ID is somebody")
	}
}
