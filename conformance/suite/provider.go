package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
)

// OP is a running Curfew. It is used as an operator uses it: by the command line for users, clients and keys, and by
// https.
type OP struct {
	Binary string // the curfew binary
	Config string // the configuration file of the server
	Base   string // the issuer
	HTTP   *http.Client
}

var _ Provider = (*OP)(nil)

// Issuer returns the OP's issuer identifier.
func (o *OP) Issuer() string { return o.Base }

// Metadata fetches the discovery document.
func (o *OP) Metadata(ctx context.Context) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Base+"/.well-known/openid-configuration", nil)
	if err != nil {
		return nil, err
	}
	res, err := o.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	var metadata map[string]any
	return metadata, json.NewDecoder(res.Body).Decode(&metadata)
}

// AddUser adds a user.
func (o *OP) AddUser(ctx context.Context, p User) error {
	return o.command(ctx, p.Claims(), "user", "add", p.Username, "--file", "-")
}

// AddClient adds a client with the id and secret in its metadata.
func (o *OP) AddClient(ctx context.Context, c Client) error {
	return o.command(ctx, c, "client", "add", "--file", "-")
}

// RotateKey replaces the signing key; the old one stays published.
func (o *OP) RotateKey(ctx context.Context) error { return o.command(ctx, nil, "key", "rotate") }

// Close does nothing: the OP was not started by this package.
func (o *OP) Close() error { return nil }

// command runs one of curfew's commands with input as JSON.
func (o *OP) command(ctx context.Context, input any, args ...string) error {
	cmd := exec.CommandContext(ctx, o.Binary, append(args, "--config", o.Config)...)
	if input != nil {
		text, err := json.Marshal(input)
		if err != nil {
			return err
		}
		cmd.Stdin = bytes.NewReader(text)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Stdout = io.Discard // it may have a secret
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("curfew %s: %w: %s", strings.Join(args[:2], " "), err, strings.TrimSpace(stderr.String()))
	}
	return nil
}
