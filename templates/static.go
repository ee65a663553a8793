package templates

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"maps"
	"path"
	"slices"
	"strings"
)

//go:embed static
var files embed.FS

// Asset is a file that pages load. Its path has a hash of its content, so it may be cached for ever.
type Asset struct {
	Path        string // "/static/curfew.0f3a….css"
	ContentType string
	Body        []byte
}

// assets has all files by their name without the hash.
var assets = readAssets()

func readAssets() map[string]Asset {
	types := map[string]string{
		".css": "text/css; charset=utf-8",
		".js":  "text/javascript; charset=utf-8",
		".svg": "image/svg+xml",
	}
	entries, err := files.ReadDir("static")
	if err != nil {
		panic(err) // embedded
	}
	all := map[string]Asset{}
	for _, e := range entries {
		body, err := files.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err) // embedded
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		all[e.Name()] = Asset{
			Path:        "/static/" + strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:8]) + ext,
			ContentType: types[ext],
			Body:        body,
		}
	}
	return all
}

// Assets returns the files that the provider must serve for the pages.
func Assets() []Asset {
	all := make([]Asset, 0, len(assets))
	for _, name := range slices.Sorted(maps.Keys(assets)) {
		all = append(all, assets[name])
	}
	return all
}

// assetPath returns the path of a file by its name without the hash.
func assetPath(name string) string { return assets[name].Path }
