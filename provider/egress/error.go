package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
)

// Class is the reason why a request got no usable answer, in one word.
type Class string

// The classes. All but Denied and Invalid may be temporary.
const (
	Invalid  Class = "invalid" // the URL cannot be called at all
	Denied   Class = "denied"  // the policy forbids the address; egress.allow may change that
	DNS      Class = "dns"     // the name has no address
	Refused  Class = "refused" // no server listens there, or there is no route to it
	TLS      Class = "tls"     // the TLS handshake failed, or the certificate is not trusted
	Timeout  Class = "timeout" // the server was too slow
	Broken   Class = "broken"  // the connection broke, or the answer is not HTTP
	Status   Class = "status"  // an answer with another status than 200
	Content  Class = "content" // an answer too large or of the wrong type
	Canceled Class = "stopped" // the caller cancelled the request
	Limited  Class = "limited" // too many documents were fetched in this minute
)

// Error is the error of a failed request. Its text may name internal addresses, so it is for operators only: a client
// that registers a URL must learn only that the URL could not be reached.
type Error struct {
	Class  Class
	Host   string
	Advice string // what an operator can do or should know; may be empty
	Err    error  // may be nil
}

func (e *Error) Error() string {
	text := fmt.Sprintf("call %s: %s", e.Host, e.Class)
	if e.Advice != "" {
		return text + ": " + e.Advice
	}
	if e.Err != nil {
		return text + ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

func newDenied(host, format string, args ...any) *Error {
	return &Error{Class: Denied, Host: host, Advice: fmt.Sprintf(format, args...)}
}

// wrapError turns an error of net/http into an *Error for a request to host.
func wrapError(host string, err error) error {
	if egressErr, ok := errors.AsType[*Error](err); ok {
		return egressErr
	}
	// url.Error has the URL in its text, and a URL can have secrets, which must not be logged.
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	return &Error{Class: classify(err), Host: host, Err: err}
}

func classify(err error) Class {
	if egressErr, ok := errors.AsType[*Error](err); ok {
		return egressErr.Class
	}
	if errors.Is(err, context.Canceled) {
		return Canceled
	}
	if dnsErr, ok := errors.AsType[*net.DNSError](err); ok {
		if dnsErr.IsTimeout {
			return Timeout
		}
		return DNS
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return Timeout
	}
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return Timeout
	}
	if isTLS(err) {
		return TLS
	}
	if opErr, ok := errors.AsType[*net.OpError](err); ok && opErr.Op == "dial" {
		return Refused
	}
	return Broken
}

func isTLS(err error) bool {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	// crypto/tls reports an alert as an operation with one of these names.
	opErr, ok := errors.AsType[*net.OpError](err)
	return ok && (opErr.Op == "remote error" || opErr.Op == "local error")
}
