package storage

import (
	"net/mail"
	"strings"
	"testing"
)

// FuzzEmail: an accepted address is one address and nothing else. It adds no header to a message, and its key does not
// change when it is made twice.
func FuzzEmail(f *testing.F) {
	for _, seed := range []string{
		"ada@example.org", "Ada <ada@example.org>", "ada@example.org\r\nBcc: eve@example.org", `"a b"@example.org`,
		"ada@example.org, eve@example.org", "ada@[127.0.0.1]", "ädä@exämple.org", "a\u202eda@example.org", "@", "",
		"ada@example.org ", "\xff@example.org", "ＡＤＡ@example.org", "İ@example.org", strings.Repeat("a", 300) + "@b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !IsEmail(text) {
			return
		}
		list, err := mail.ParseAddressList(text)
		if err != nil || len(list) != 1 || list[0].Name != "" || list[0].Address != text {
			t.Errorf("%q: got %v and error %v, want this address alone", text, list, err)
		}
		if strings.ContainsAny(text, "\r\n\x00") || !strings.Contains(text, "@") || len(text) > maxEmailLength {
			t.Errorf("%q is accepted", text)
		}
		if key := EmailKey(text); EmailKey(key) != key {
			t.Errorf("%q: the key %q has another key %q", text, key, EmailKey(key))
		}
	})
}
