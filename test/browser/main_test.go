// Package browser tests the whole program as a person sees it: with a real Chromium, by clicks and keys.
//
// With LANYARD_SCREENSHOTS=folder the tests leave pictures of what they saw there.
package browser

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// Repositories of the sample world.
const (
	paymentsAPI = "https://git.example.test/payments/api"
	shopWeb     = "https://git.example.test/shop/web"
)

// start starts a sample world whose dashboard was built. Tests with worlds of their own run side by side.
func start(t *testing.T) *harness.World {
	t.Helper()
	t.Parallel()
	harness.Need(t, "chromium")
	w := harness.Start(t)
	page, err := w.Browser().HTTP().Get(w.Info.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	if err != nil || page.StatusCode != http.StatusOK {
		t.Fatalf("the first page: %d %v", page.StatusCode, err)
	}
	if strings.Contains(string(text), "unbuilt-page") {
		const missing = "the dashboard's assets were not built: run `make ui`, then these tests again"
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatal(missing + " (LANYARD_REQUIRE=all)")
		}
		t.Skip(missing)
	}
	return w
}

func password(t *testing.T, w *harness.World, user string) string {
	t.Helper()
	u, err := w.Info.User(user)
	if err != nil {
		t.Fatal(err)
	}
	return u.Password
}
