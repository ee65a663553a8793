package mail_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/curfew-id/curfew/provider/mail"
)

// letter is a message as the mail server received it.
type letter struct {
	from, to, body string
	encrypted      bool
	login          string
}

// mailServer is a real SMTP server on this machine.
type mailServer struct {
	mu      sync.Mutex
	letters []letter
	address *net.TCPAddr
	roots   *x509.CertPool
}

// mustServe starts a mail server. Its certificate is for example.com and 127.0.0.1.
func mustServe(t *testing.T, configure func(*smtp.Server)) *mailServer {
	t.Helper()
	web := httptest.NewUnstartedServer(nil) // has a certificate
	web.StartTLS()
	certificate := web.TLS.Certificates
	s := &mailServer{roots: x509.NewCertPool()}
	s.roots.AddCert(web.Certificate())
	web.Close()
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{server: s, conn: c}, nil
	}))
	server.TLSConfig = &tls.Config{Certificates: certificate}
	if configure != nil {
		configure(server)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().(*net.TCPAddr)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return s
}

// smtp returns the settings that fit the server.
func (s *mailServer) smtp() mail.SMTP {
	return mail.SMTP{
		Host:     "127.0.0.1",
		Port:     s.address.Port,
		From:     "Curfew <login@op.example>",
		Security: mail.SecurityStartTLS,
		Username: "curfew",
		Password: "secret",
		RootCAs:  s.roots,
	}
}

func (s *mailServer) received() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.letters
}

// mailSession is one connection to the mail server.
type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	letter letter
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if password != "secret" {
			return smtp.ErrAuthFailed
		}
		s.letter.login = username
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.letter.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "unknown") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	if strings.HasPrefix(to, "busy") {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try again"}
	}
	s.letter.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.letter.body = string(body)
	_, s.letter.encrypted = s.conn.TLSConnectionState()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.letters = append(s.server.letters, s.letter)
	return nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

var hello = mail.Message{To: "ada@example.org", Subject: "Hello", Text: "plain text", HTML: "<p>rich text</p>"}

// TestMailIsSentEncryptedAndWithLogin, as text and HTML.
func TestMailIsSentEncryptedAndWithLogin(t *testing.T) {
	s := mustServe(t, nil)
	if err := s.smtp().Send(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	got := s.received()
	if len(got) != 1 {
		t.Fatalf("got %d messages, want 1", len(got))
	}
	l := got[0]
	if !l.encrypted || l.login != "curfew" || l.from != "login@op.example" || l.to != "ada@example.org" {
		t.Errorf("got %+v, want an encrypted message of curfew from login@op.example to ada@example.org", l)
	}
	for _, want := range []string{
		"Subject: Hello", "Auto-Submitted: auto-generated", "multipart/alternative", "plain text", "<p>rich text</p>",
	} {
		if !strings.Contains(l.body, want) {
			t.Errorf("got %s, want %q in it", l.body, want)
		}
	}
}

// TestMailErrorsSayWhatIsWrong: nothing is sent, and only an error that will never pass is a RefusedError.
func TestMailErrorsSayWhatIsWrong(t *testing.T) {
	s := mustServe(t, nil)
	withoutTLS := mustServe(t, func(server *smtp.Server) { server.TLSConfig = nil })
	for name, test := range map[string]struct {
		server  *mailServer
		change  func(*mail.SMTP)
		to      string
		want    string
		refused bool
	}{
		"certificate of an unknown issuer": {change: func(c *mail.SMTP) { c.RootCAs = nil }, want: "certificate"},
		"certificate of another host":      {change: func(c *mail.SMTP) { c.Host = "localhost" }, want: "certificate"},
		"no STARTTLS":                      {server: withoutTLS, want: "STARTTLS"},
		"wrong password":                   {change: func(c *mail.SMTP) { c.Password = "wrong" }, want: "check mail.host"},
		"no server":                        {change: func(c *mail.SMTP) { c.Port = 1 }, want: "refused"},
		"unknown mailbox":                  {to: "unknown@example.org", want: "no such mailbox", refused: true},
		"busy mailbox":                     {to: "busy@example.org", want: "try again"},
		"line break in the address":        {to: "ada@example.org\r\nBcc: eve@example.org", want: "address", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := test.server
			if server == nil {
				server = s
			}
			settings := server.smtp()
			if test.change != nil {
				test.change(&settings)
			}
			m := hello
			if test.to != "" {
				m.To = test.to
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err := settings.Send(ctx, m)
			var refused *mail.RefusedError
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.As(err, &refused) != test.refused {
				t.Errorf("got %v, want an error with %q, refused %v", err, test.want, test.refused)
			}
			if err != nil && bytes.Contains([]byte(err.Error()), []byte("secret")) {
				t.Errorf("got the password in %v", err)
			}
			if got := server.received(); len(got) > 0 {
				t.Errorf("got %+v, want no message", got)
			}
		})
	}
}
