package register

import (
	"context"
	"errors"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// Clients finds stored clients.
type Clients interface {
	Client(ctx context.Context, id string) (*storage.Client, error)
	ListClients(ctx context.Context, p storage.Page) (clients []*storage.Client, next string, err error)
}

// checkAudience checks that JWT access tokens get an audience. The client itself must not be an audience: a relying
// party that does not check typ would accept such a token as an ID token.
func (c *validation) checkAudience(m *storage.Metadata) {
	client := storage.Client{Metadata: *m}
	hasAPI := len(c.policy.APIScopes.Allowed(&client, c.policy.APIScopes.Names())) > 0
	if m.AccessTokenFormat == "jwt" && len(m.Audience) == 0 && !hasAPI {
		c.addProblem(
			"audience",
			"is missing; with access_token_format jwt an operator names the APIs that the tokens are for",
		)
	}
	ownIndex := slices.Index(m.Audience, m.ClientID)
	if ownIndex >= 0 && m.ClientID != "" {
		c.addProblem(
			indexed("audience", ownIndex),
			"%+q is the client itself; name the API, and list in introspect who may introspect",
			m.ClientID,
		)
	}
}

// checkAudienceOfOthers checks that no audience is the client_id of another client, and that the client_id of a new
// client is not an audience of another client.
func (r *Registrar) checkAudienceOfOthers(ctx context.Context, m *storage.Metadata, isNew bool) (Problems, error) {
	if r.Clients == nil {
		return nil, nil
	}
	var c validation
	for i, value := range m.Audience {
		_, err := r.Clients.Client(ctx, value)
		switch {
		case err == nil && value != m.ClientID: // checkAudience has found the client itself
			c.addProblem(
				indexed("audience", i),
				"%+q is the client_id of a client, which could take the access tokens for ID tokens; name the API by another name",
				value,
			)
		case err != nil && !errors.Is(err, storage.ErrNotFound):
			return nil, err
		}
	}
	if !isNew {
		return c.problems, nil
	}
	if r.Policy.APIScopes.HasAudience(m.ClientID) {
		c.addProblem(
			"client_id",
			"is the audience of an API, whose access tokens this client could take for ID tokens",
		)
	}
	page := storage.Page{Limit: listPage}
	for {
		clients, next, err := r.Clients.ListClients(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, other := range clients {
			if slices.Contains(other.Audience, m.ClientID) {
				c.addProblem(
					"client_id",
					"is an audience of the client %+q, whose access tokens this client could take for ID tokens",
					other.ClientID,
				)
			}
		}
		if next == "" {
			return c.problems, nil
		}
		page.After = next
	}
}

// listPage is how many clients are read at a time.
const listPage = 1000
