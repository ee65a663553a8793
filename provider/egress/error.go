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

// Class says in one word why a request brought no usable answer.
type Class string

// The classes. All but Denied and Invalid may go away by themselves.
const (
	Invalid  Class = "invalid" // the URL cannot be called at all
	Denied   Class = "denied"  // the policy forbids the address; egress.allow may change that
	DNS      Class = "dns"     // the name has no address
	Refused  Class = "refused" // no server listens there, or there is no route to it
	TLS      Class = "tls"     // no trusted or no working TLS
	Timeout  Class = "timeout" // too slow
	Broken   Class = "broken"  // the connection broke, or the answer is not HTTP
	Status   Class = "status"  // an answer with another status than 200
	Content  Class = "content" // an answer too large or of the wrong type
	Canceled Class = "stopped" // the caller gave up
	Limited  Class = "limited" // too many documents were fetched in this minute
)

// Error is why a request failed. Its text may name internal addresses: it is for operators. Any other caller that
// registers a URL learns only that it could not be reached.
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

// wrapError makes an *Error of what net/http returned for a call to host.
func wrapError(host string, err error) error {
	if egressErr, ok := errors.AsType[*Error](err); ok {
		return egressErr
	}
	// url.Error repeats method and URL, and a URL can hold what no log should.
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
	// crypto/tls reports an alert, its own or the peer's, as an operation of this name.
	opErr, ok := errors.AsType[*net.OpError](err)
	return ok && (opErr.Op == "remote error" || opErr.Op == "local error")
}
