package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// dist is what `make build` bundles from ui/. In a checkout it holds a file that keeps the folder.
//
//go:embed all:dist
var dist embed.FS

// needed are the files without which there is no dashboard.
var needed = []string{"dashboard.js", "dashboard.css", "terminal.js", "terminal.css"}

// assets are the scripts and styles, under addresses that change with their content, so that browsers keep them.
type assets struct {
	built   bool
	version string // of all of them together
	files   map[string]asset
}

type asset struct {
	media  string
	plain  []byte
	zipped []byte
}

// readAssets reads the folder once; what is served never changes while the server runs.
func readAssets(from fs.FS, folder string) (assets, error) {
	a := assets{files: map[string]asset{}}
	all := sha256.New()
	add := func(name string, body []byte) error {
		zipped, err := compress(body)
		if err != nil {
			return err
		}
		fmt.Fprintf(all, "%s %d\n", name, len(body))
		all.Write(body)
		a.files[name] = asset{media: mime.TypeByExtension(path.Ext(name)), plain: body, zipped: zipped}
		return nil
	}
	entries, err := fs.ReadDir(from, folder)
	if err != nil {
		return a, fmt.Errorf("read the dashboard's assets: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() {
			continue
		}
		body, err := fs.ReadFile(from, folder+"/"+e.Name())
		if err != nil {
			return a, fmt.Errorf("read the dashboard's assets: %w", err)
		}
		if err := add(e.Name(), body); err != nil {
			return a, err
		}
	}
	a.built = true
	for _, name := range needed {
		_, there := a.files[name]
		a.built = a.built && there
	}
	for _, name := range []string{"mark.svg", "page.css"} { // the pages that show errors need no bundle
		body, err := templateAssets.ReadFile("templates/" + name)
		if err != nil {
			return a, fmt.Errorf("read the pages' assets: %w", err)
		}
		if err := add(name, body); err != nil {
			return a, err
		}
	}
	a.version = hex.EncodeToString(all.Sum(nil)[:8])
	return a, nil
}

//go:embed templates/mark.svg templates/page.css
var templateAssets embed.FS

// path is the address of an asset.
func (a assets) path(name string) string { return "/assets/" + a.version + "/" + name }

// serve answers an asset. One of another version is not here: the page that asks is older or newer than the server.
func (a assets) serve(w http.ResponseWriter, r *http.Request) error {
	file, ok := a.files[r.PathValue("name")]
	if !ok || r.PathValue("version") != a.version {
		return problem.New(problem.NotFound, "There is no such file here. Load the page again.")
	}
	h := w.Header()
	h.Set("Content-Type", file.media)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := file.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = file.zipped
	}
	_, err := w.Write(body)
	return err
}

func compress(body []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
