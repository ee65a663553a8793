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
	MailInvitation   MailKind = "invitation"    // sets the first password of a user, or makes an account
	MailSignUp       MailKind = "sign_up"       // makes an account
	MailSignUpKnown  MailKind = "sign_up_known" // the address has an account already
	MailConfirmEmail MailKind = "confirm_email" // to a new address, which its link confirms

	// The kinds of notices. Their link leads to NotMePage.
	MailSignIn        MailKind = "sign_in"        // in a browser that is new to the account
	MailFactorAdded   MailKind = "factor_added"   // What is the factor
	MailFactorRemoved MailKind = "factor_removed" // What is the factor
	MailRecoveryCodes MailKind = "recovery_codes" // new ones
	MailPassword      MailKind = "password"       // a new one
	MailEmail         MailKind = "email"          // to the former address
	MailLinked        MailKind = "linked"         // an account of the provider What
	MailUnlinked      MailKind = "unlinked"
)

// factorNames has the names of the texts for the factors in MailPage.What.
var factorNames = map[string]string{
	"passkey": "mail.factor.passkey",
	"totp":    "mail.factor.totp",
	"browser": "mail.factor.browser",
}

// MailPage describes a message.
type MailPage struct {
	Lang     string // language of the texts; empty: English
	Product  string // empty: "Curfew"
	Kind     MailKind
	Host     string        // of the issuer
	Account  string        // login name of the recipient
	URL      string        // the link, if the kind has one
	Lifetime time.Duration // of the link
	What     string        // passkey, totp or browser; or the name of another provider

	// Of a notice: when, where and from which address it happened. The zero time: no notice.
	At      time.Time
	Device  Device
	Address string
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
	what := p.What
	if name := factorNames[p.What]; name != "" {
		what = l.text(name).String()
	}
	text := func(kind MailKind, part string) string {
		return l.text(
			"mail."+string(kind)+"."+part,
			"Product", page.ProductName(),
			"Host", p.Host,
			"Account", p.Account,
			"What", what,
			"Duration", l.durationUp(p.Lifetime),
		).String()
	}
	common := p.Kind // of the texts that all notices have in common
	if !p.At.IsZero() {
		common = "notice"
	}
	content := struct {
		Language, Direction, Subject, Lead, Details, Button, URL, Advice, Product, Host string
	}{
		Language:  l.tag,
		Direction: page.Direction(),
		Subject:   text(p.Kind, "subject"),
		Lead:      text(p.Kind, "lead"),
		URL:       p.URL,
		Advice:    text(common, "advice"),
		Product:   page.ProductName(),
		Host:      p.Host,
	}
	paragraphs := []string{content.Lead}
	if !p.At.IsZero() {
		content.Details = l.text("mail.notice.details",
			"Time", l.time(p.At, ShowFull), "Device", l.device(p.Device), "Address", p.Address).String()
		paragraphs = append(paragraphs, content.Details)
	}
	if p.URL != "" {
		content.Button = text(common, "button")
		paragraphs = append(paragraphs, content.Button+":\n"+p.URL)
	}
	paragraphs = append(paragraphs, content.Advice, content.Product+", "+content.Host)
	var b bytes.Buffer
	if err := mailTemplate.Execute(&b, content); err != nil {
		return MailContent{}, fmt.Errorf("render mail %s: %w", p.Kind, err)
	}
	return MailContent{content.Subject, strings.Join(paragraphs, "\n\n") + "\n", b.String()}, nil
}
