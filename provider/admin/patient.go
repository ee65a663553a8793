package admin

import (
	"net/http"
	"time"
)

// stall is for how long an answer may wait for its reader.
const stall = 30 * time.Second

// patient is the ResponseWriter of every route. The server's bounds are made for pages: they begin with the request, while doctor
// asks every application, verify reads all of the trail, and an export lasts as long as whoever reads it goes on. So each write has its
// own time here. Who does not read any more is let go, and holds no transaction meanwhile: an export reads the store page by page.
type patient struct{ http.ResponseWriter }

func (w patient) Write(p []byte) (int, error) {
	// The wall clock's, since that is what connections go by. A writer without deadlines has none to move.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(stall))
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w patient) Unwrap() http.ResponseWriter { return w.ResponseWriter }
