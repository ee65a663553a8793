package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzConfiguration: whatever a file holds, it is a configuration or a list of problems, and what is printed of a
// configuration is read as the same.
func FuzzConfiguration(f *testing.F) {
	for _, seed := range []string{
		"issuer: https://id.example.org\ndata: /var/lib/curfew\n",
		"issuer: http://localhost:1\ndata: d\nsession: {idle: 1h, absolute: 1d12h}\ntoken.code: 90s\n",
		"issuer: https://id.example.org\ndata: d\negress:\n  allow: [10.1.2.0/24, 'app.internal:8443']\ntls: {cert: c.pem, key: k.pem}\n",
		"issuer: &a https://id.example.org\ndata: *a\n", "a: &a [*a]", "issuer: [", "\x00", "? {}: {}\n", "issuer: !!binary AAAA\n", "<<: {issuer: x}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "curfew.yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, nil)
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := c.WriteYAML(&first); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, first.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := Load(file, nil)
		if err != nil {
			t.Fatalf("%q: printed\n%s\nwhich is refused: %v", text, first.Bytes(), err)
		}
		for _, values := range []*Config{c, again} {
			values.origins = nil
		}
		first.Reset()
		if err := c.WriteYAML(&first); err != nil {
			t.Fatal(err)
		}
		if err := again.WriteYAML(&second); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%q: printed\n%s\nthen\n%s", text, first.Bytes(), second.Bytes())
		}
	})
}
