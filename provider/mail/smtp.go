// Package mail sends messages by SMTP: at once (SMTP.Send), or by the outbox, which keeps a message in the store until
// the mail server has accepted it. Notices are the messages about changes of an account.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/curfew-id/curfew/templates"
)

// The values of SMTP.Security.
const (
	SecurityStartTLS = "starttls" // RFC 3207; a server without it is refused
	SecurityTLS      = "tls"      // TLS from the first byte (RFC 8314 §3.3)
	SecurityNone     = "none"     // for a server on this machine
)

// smtpTimeout is how long each step of an attempt may take: to connect, and to send.
const smtpTimeout = 15 * time.Second

// SMTP is the mail server that accepts all messages.
type SMTP struct {
	Host     string
	Port     int
	From     string // the address, or "Name <address>"
	Security string
	Username string // empty: no authentication
	Password string
	RootCAs  *x509.CertPool // nil: the system's
}

// Message is one message to one address. It is sent as plain text with HTML as the alternative.
type Message struct {
	To      string
	Subject string
	Text    string
	HTML    string
}

// To returns the message with that content to an address.
func To(address string, content templates.MailContent) Message {
	return Message{To: address, Subject: content.Subject, Text: content.Text, HTML: content.HTML}
}

// RefusedError says that the mail server will never accept the message, for example because the address does not exist.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return "the mail server refuses the message: " + e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// Send sends a message and returns when the server has accepted it. *[RefusedError]: it never will. Other errors may
// pass.
func (s SMTP) Send(ctx context.Context, m Message) error {
	letter, err := s.letter(m)
	if err != nil {
		return &RefusedError{Err: err}
	}
	client, err := gomail.NewClient(s.Host, s.options()...)
	if err != nil {
		return fmt.Errorf("prepare to send mail: %w", err)
	}
	return s.explain(client.DialAndSendWithContext(ctx, letter))
}

// Address returns host and port of the server.
func (s SMTP) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

func (s SMTP) options() []gomail.Option {
	options := []gomail.Option{
		gomail.WithPort(s.Port),
		gomail.WithTimeout(smtpTimeout),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.Host, RootCAs: s.RootCAs, MinVersion: tls.VersionTLS12}),
	}
	switch s.Security {
	case SecurityTLS:
		options = append(options, gomail.WithSSL())
	case SecurityNone:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.Username != "" {
		options = append(
			options,
			gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(s.Username),
			gomail.WithPassword(s.Password),
		)
	}
	return options
}

// letter returns the message as the library sends it.
func (s SMTP) letter(m Message) (*gomail.Msg, error) {
	letter := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := letter.From(s.From); err != nil {
		return nil, fmt.Errorf("read the sender's address: %w", err)
	}
	if err := letter.To(m.To); err != nil {
		return nil, fmt.Errorf("read the recipient's address: %w", err)
	}
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: no automatic answer is wanted
	letter.Subject(m.Subject)
	letter.SetDate()
	letter.SetMessageID()
	letter.SetBodyString(gomail.TypeTextPlain, m.Text)
	letter.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return letter, nil
}

// explain adds what to do to an error of the library.
func (s SMTP) explain(err error) error {
	var certificate *tls.CertificateVerificationError
	var sendError *gomail.SendError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &certificate):
		return fmt.Errorf("the certificate of the mail server %s is not valid for mail.host: %w", s.Address(), err)
	case errors.As(err, &sendError):
		if code := sendError.ErrorCode(); code >= 500 && code < 600 {
			return &RefusedError{Err: err}
		}
		return fmt.Errorf("the mail server %s did not accept the message: %w", s.Address(), err)
	default:
		return fmt.Errorf(
			"mail server %s (check mail.host, mail.port, mail.security and the login): %w", s.Address(), err,
		)
	}
}
