package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed mail/mail.html
var mailDocument embed.FS

// mailTemplate is the HTML of every message. It has no pictures and loads nothing.
var mailTemplate = template.Must(template.ParseFS(mailDocument, "mail/mail.html"))

// MailKind names the texts of a message.
type MailKind string

// The kinds of messages.
const (
	MailTest         MailKind = "test"
	MailReset        MailKind = "reset"         // a link that sets a new password
	MailResetRefused MailKind = "reset_refused" // mail alone may not give access to the account
)

// MailPage describes a message.
type MailPage struct {
	Lang     string // language of the texts; empty: English
	Product  string // empty: "Curfew"
	Kind     MailKind
	Host     string        // of the issuer
	Account  string        // login name of the recipient
	URL      string        // the link, if the kind has one
	Lifetime time.Duration // of the link
}

// MailContent is a message without its address.
type MailContent struct {
	Subject string
	Text    string
	HTML    string
}

// Mail returns the texts of a message.
func Mail(p MailPage) (MailContent, error) {
	page := Page{Lang: p.Lang, Product: p.Product}
	l := page.locale()
	text := func(part string) string {
		return l.text(
			"mail."+string(p.Kind)+"."+part,
			"Product", page.ProductName(),
			"Host", p.Host,
			"Account", p.Account,
			"Duration", l.durationUp(p.Lifetime),
		).String()
	}
	content := struct {
		Language, Subject, Lead, Button, URL, Advice, Product, Host string
	}{
		Language: l.tag,
		Subject:  text("subject"),
		Lead:     text("lead"),
		URL:      p.URL,
		Advice:   text("advice"),
		Product:  page.ProductName(),
		Host:     p.Host,
	}
	paragraphs := []string{content.Lead}
	if p.URL != "" {
		content.Button = text("button")
		paragraphs = append(paragraphs, content.Button+":\n"+p.URL)
	}
	paragraphs = append(paragraphs, content.Advice, content.Product+", "+content.Host)
	var b bytes.Buffer
	if err := mailTemplate.Execute(&b, content); err != nil {
		return MailContent{}, fmt.Errorf("render mail %s: %w", p.Kind, err)
	}
	return MailContent{content.Subject, strings.Join(paragraphs, "\n\n") + "\n", b.String()}, nil
}
