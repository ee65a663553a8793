package templates

import (
	"io"
	"time"
)

// ApplicationsPage lists the apps that have access. Its form posts interaction and withdraw=ID or end-offline=ID.
type ApplicationsPage struct {
	AccountPage
	Action       string
	Applications []AppGrant
}

// AppGrant is one app with the scopes and claims that it may have.
type AppGrant struct {
	ID          string // opaque; empty: the administrator allowed the app, so the user cannot withdraw it
	Application App
	Scopes      []string
	APIScopes   Descriptions
	Claims      []string  // claims that were allowed in addition to the scopes
	Since       time.Time // when the user allowed it; zero: the user was not asked
	LastUse     time.Time
	Devices     []Device // of the sessions in which the app is used now
	Offline     []OfflineAccess
}

// Applications writes "Apps".
func Applications(w io.Writer, p ApplicationsPage) error { return render(w, p.Page, "applications", p) }

// Items lists the allowed scopes and claims. lang is the language of the page.
func (a AppGrant) Items(lang string) []ConsentItem {
	return ConsentPage{Page: Page{Lang: lang}, Scopes: a.Scopes, APIScopes: a.APIScopes, Claims: a.Claims}.Items()
}

// Tab names this page's tab.
func (p ApplicationsPage) Tab() string { return "applications" }
