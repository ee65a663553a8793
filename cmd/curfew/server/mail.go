package server

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/curfew-id/curfew/cmd/curfew/config"
	"github.com/curfew-id/curfew/provider/mail"
)

// MailServer returns the mail server that the configuration names; nil without mail.host.
func MailServer(cfg *config.Config) (*mail.SMTP, error) {
	m := cfg.Mail
	if m.Host == "" {
		return nil, nil
	}
	smtp := &mail.SMTP{
		Host:     m.Host,
		Port:     m.Port,
		From:     m.From,
		Security: m.Security,
		Username: m.Username,
	}
	if m.PasswordFile != "" {
		text, err := os.ReadFile(string(m.PasswordFile))
		if err != nil {
			return nil, fmt.Errorf("read mail.password_file: %w", err)
		}
		smtp.Password = strings.TrimSpace(string(text))
	}
	if cfg.Egress.CA != "" {
		text, err := os.ReadFile(string(cfg.Egress.CA))
		if err != nil {
			return nil, fmt.Errorf("read egress.ca: %w", err)
		}
		if smtp.RootCAs, err = x509.SystemCertPool(); err != nil {
			return nil, fmt.Errorf("load the system's certificates: %w", err)
		}
		smtp.RootCAs.AppendCertsFromPEM(text)
	}
	return smtp, nil
}
