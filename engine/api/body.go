package api

import (
	"io"
	"net/http"
	"time"
)

// patience is how long a client may take to send the next piece of a body.
const patience = 30 * time.Second

// patient reads a request's body of at most limit bytes from a client that
// keeps sending. Every piece that arrives buys the time for another, so that
// large uploads may take long, and a client that stops is cut off.
func patient(w http.ResponseWriter, r *http.Request, limit int64) *patientReader {
	return &patientReader{body: http.MaxBytesReader(w, r.Body, limit), conn: http.NewResponseController(w), wait: patience}
}

type patientReader struct {
	body io.Reader
	conn *http.ResponseController
	wait time.Duration
	err  error // why it ended; io.EOF is a good end
}

// Read reads the next piece. A transport without deadlines, as the one in
// process, has no slow clients.
func (p *patientReader) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	_ = p.conn.SetReadDeadline(time.Now().Add(p.wait))
	n, err := p.body.Read(b)
	if err != nil {
		p.err = err
	}
	if err == io.EOF {
		_ = p.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// blame tells whether it was the client's body that an operation failed of.
func (p *patientReader) blame(err error) error {
	if err != nil && p.err != nil && p.err != io.EOF {
		return bodyError(p.err)
	}
	return err
}
