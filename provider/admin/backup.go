package admin

import (
	"io"
	"net/http"
)

// writeBackup writes a backup of the store. If it fails after its first byte, it breaks the connection, and the backup
// has no checksum at its end.
func (a *api) writeBackup(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	if a.Backup == nil {
		return invalid("", "the records are in a PostgreSQL database: back that up, with pg_basebackup or pg_dump")
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	out := &startedWriter{Writer: w}
	err := a.Backup(r.Context(), out)
	if err != nil && out.started {
		if r.Context().Err() == nil {
			a.log().ErrorContext(r.Context(), "backup broke off", "err", err)
		}
		panic(http.ErrAbortHandler) // the status 200 is already sent
	}
	return err
}

// startedWriter records whether anything was written.
type startedWriter struct {
	io.Writer
	started bool
}

func (w *startedWriter) Write(p []byte) (int, error) {
	w.started = true
	return w.Writer.Write(p)
}
