package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	password = "correct horse battery staple"
	secret   = "0123456789abcdef0123456789abcdef"
	callback = "http://shop.localhost:9/callback" // no request goes there
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

	// authorize is an authorization request for a code. The code_challenge is the S256 of verifier (RFC 7636 appendix
	// B).
	authorize = "/authorize?client_id=shop&redirect_uri=http%3A%2F%2Fshop.localhost%3A9%2Fcallback" +
		"&response_type=code&scope=openid+profile+email&state=st&nonce=nn" +
		"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
)

// relyingParty is a relying party with one signed-in browser. Both use the same HTTP client.
type relyingParty struct {
	issuer       string
	http         *http.Client // of the browser and of the relying party
	accessToken  string
	refreshToken string
}

// signOn signs in with the active session of the browser: authorization request, code, tokens.
func (a *relyingParty) signOn() error {
	resp, err := a.http.Get(a.issuer + authorize)
	if err != nil {
		return err
	}
	if _, err := body(resp); err != nil {
		return err
	}
	location, err := resp.Location()
	if err != nil {
		return fmt.Errorf("authorize: status %d: %w", resp.StatusCode, err)
	}
	return a.requestTokens(url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {location.Query().Get("code")},
		"redirect_uri":  {callback},
		"code_verifier": {verifier},
	})
}

func (a *relyingParty) refreshTokens() error {
	return a.requestTokens(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.refreshToken}})
}

// requestTokens calls the token endpoint and stores the tokens.
func (a *relyingParty) requestTokens(form url.Values) error {
	text, err := a.post("/token", "shop", form.Encode())
	if err != nil {
		return err
	}
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.ID == "" {
		return fmt.Errorf("no tokens: %s", text)
	}
	a.accessToken = answer.Access
	a.refreshToken = answer.Refresh
	return nil
}

func (a *relyingParty) get(path, authorization string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, a.issuer+path, nil)
	if err != nil {
		return "", err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return a.send(req)
}

func (a *relyingParty) post(path, client, form string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, a.issuer+path, strings.NewReader(form))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(client, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return a.send(req)
}

func (a *relyingParty) send(req *http.Request) (string, error) {
	resp, err := a.http.Do(req)
	if err != nil {
		return "", err
	}
	return body(resp)
}

// body reads the whole body of an answer, so that the connection can be used again.
func body(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	return string(text), err
}
