package admin

import (
	"net/http"
	"time"
)

// writeTimeout is for how long an answer may wait for its reader.
const writeTimeout = 30 * time.Second

// deadlineWriter is the ResponseWriter of every route. The server's bounds are made for pages: they begin with the
// request, while doctor asks every client, verify reads all of the trail, and an export lasts as long as its reader
// goes on. So each write has its own time here. Who does not read any more is let go, and holds no transaction
// meanwhile: an export reads the store page by page.
type deadlineWriter struct{ http.ResponseWriter }

func (w deadlineWriter) Write(p []byte) (int, error) {
	// The wall clock's, since that is what connections go by. A writer without deadlines has none to move.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTimeout))
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w deadlineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
