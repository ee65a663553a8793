package admin

import (
	"net/http"
	"time"
)

// writeTimeout is how long one write may take.
const writeTimeout = 30 * time.Second

// deadlineWriter gives each write of an answer a timeout of its own. The server's write timeout begins with the
// request, which suits pages but not this API: GET /doctor calls every client, and an export takes as long as the
// caller reads. A caller that stops reading is disconnected after writeTimeout.
type deadlineWriter struct{ http.ResponseWriter }

func (w deadlineWriter) Write(p []byte) (int, error) {
	// Deadlines of connections are times of the machine's clock. The error means that the writer has no deadlines.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTimeout))
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w deadlineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
