package password

import (
	"strings"
	"testing"
)

// TestPasswordIsOneHoweverItIsTyped (RFC 8265 §4.2, SP 800-63B §3.1.1.2).
func TestPasswordIsOneHoweverItIsTyped(t *testing.T) {
	h := NewHasher(cheap)
	for name, c := range map[string]struct {
		stored, typed string
		want          bool
	}{
		"composed and decomposed":   {"jos\u00e9 likes tea", "jose\u0301 likes tea", true},
		"decomposed and composed":   {"jose\u0301 likes tea", "jos\u00e9 likes tea", true},
		"no-break space":            {"jos\u00e9 likes tea", "jos\u00e9\u00a0likes\u00a0tea", true},
		"ideographic space":         {"correct horse", "correct\u3000horse", true},
		"case":                      {"Correct Horse", "correct horse", false},
		"another letter":            {"jos\u00e9 likes tea", "jose likes tea", false},
		"full width stays":          {"password one", "\uff50assword one", false},
		"a control character":       {"tab\there it is", "tab\there it is", true},
		"not the control character": {"tab\there it is", "tabhere it is", false},
		"bytes that are no UTF-8":   {"caf\xe9 au lait", "caf\xe9 au lait", true},
	} {
		t.Run(name, func(t *testing.T) {
			mustVerify(t, h, mustHash(t, h, c.stored), c.typed, c.want, false)
		})
	}
}

// TestHashOfTheRawPasswordIsRenewed: a password that was hashed as it was sent still works, and is hashed again in
// the compared form.
func TestHashOfTheRawPasswordIsRenewed(t *testing.T) {
	h := NewHasher(cheap)
	const typed = "jose\u0301 likes tea"
	salt := []byte(strings.Repeat("s", saltBytes))
	sum, err := h.derive(t.Context(), typed, cheap, salt, hashBytes, Stranger)
	if err != nil {
		t.Fatal(err)
	}
	old := encodePHC(cheap, salt, sum)
	mustVerify(t, h, old, typed, true, true)
	mustVerify(t, h, old, "another password", false, false)
}
