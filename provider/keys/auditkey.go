package keys

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/curfew-id/curfew/storage"
)

// deriveAuditKey returns the key that authenticates the audit trail. It is derived from the key file's key, which also
// encrypts: a key has one use.
func deriveAuditKey(fileKey []byte) storage.AuditKey {
	mac := hmac.New(sha256.New, fileKey)
	mac.Write([]byte("curfew audit trail"))
	return mac.Sum(nil)
}

// AuditKey returns the key that authenticates the audit trail.
func (r *Ring) AuditKey() storage.AuditKey { return r.wrapper.audit }

// ReadAuditKey returns the key that authenticates the audit trail, from the key file at path.
func ReadAuditKey(path string) (storage.AuditKey, error) {
	w, err := openKeyFile(path, false)
	if err != nil {
		return nil, err
	}
	return w.audit, nil
}
