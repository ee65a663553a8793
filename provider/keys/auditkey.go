package keys

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/curfew-id/curfew/storage"
)

// deriveAuditKey derives the key that authenticates the audit trail from the key of the key file. It must be another
// key, because the key of the key file encrypts and each key has only one use.
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
